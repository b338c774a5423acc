"""Master data of the city as CSV files, for `machinami import`."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from machinami_simulators import geometry
from machinami_simulators.city import City

_Cell: TypeAlias = str | float | None
_Rows: TypeAlias = Iterable[tuple[_Cell, ...]]


def write_masters(city: City, folder: Path) -> list[Path]:
    """Write every file into the folder; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / f"{name}.csv", columns, rows(city)) for name, columns, rows in _FILES]


def _write(path: Path, columns: str, rows: _Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns.split())
        writer.writerows(rows)
    return path


def _place(city: City, at: geometry.Point) -> tuple[float, float]:
    return city.projection.place(at)


def _gauges(city: City) -> _Rows:
    for g in city.gauges:
        yield g.id, g.name.ja, g.name.en, g.river.name.ja, *_place(city, g.at), *g.levels


def _receivers(city: City) -> _Rows:
    for r in city.receivers:
        yield r.id, f"place-{r.place.id}", r.name.ja, r.name.en, *_place(city, r.at)


def _paddies(city: City) -> _Rows:
    for p in city.paddies:
        middle = p.shape.centroid
        at = _place(city, (middle.x, middle.y))
        yield p.id, p.name.ja, p.name.en, round(p.shape.area), *at, city.projection.wkt(p.shape)


def _ports(city: City) -> _Rows:
    for p in city.ports:
        yield p.id, p.name.ja, p.name.en, p.capacity, *_place(city, p.at)


def _bikes(city: City) -> _Rows:
    for bike in city.bikes:
        yield bike, f"なみチャリ {bike.removeprefix('bike-')}"


def _basemap(city: City) -> _Rows:
    for f in city.features:
        yield f.id, f.kind, f.name.ja, f.name.en, city.projection.wkt(f.shape)


_FILES = (
    (
        "gauges",
        (
            "id name_ja name_en river lat lon"
            " standby_level_m caution_level_m evacuation_judgement_level_m danger_level_m"
        ),
        _gauges,
    ),
    ("receivers", "id place_id name_ja name_en lat lon", _receivers),
    ("paddies", "id name_ja name_en area_m2 lat lon wkt", _paddies),
    ("ports", "id name_ja name_en capacity lat lon", _ports),
    ("bikes", "id name", _bikes),
    ("basemap", "id kind name_ja name_en wkt", _basemap),
)
