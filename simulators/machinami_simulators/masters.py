"""Master data of the city as CSV files, for `machinami import`."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import msgspec
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from machinami_simulators import geometry
from machinami_simulators.city import City
from machinami_simulators.scale import TOWN, Scale

_Cell: TypeAlias = str | float | None
_Rows: TypeAlias = Iterable[tuple[_Cell, ...]]
UNDERPASS_LEVELS = None, 0.1, None, 0.3  # levels in metres: water on the road; too deep for a car


class _Island(msgspec.Struct, frozen=True):
    """The city once: where, and what the ids of its assets begin with."""

    city: City
    prefix: str
    x: float
    y: float

    def id(self, own: str) -> str:
        return self.prefix + own

    def place(self, at: geometry.Point) -> tuple[float, float]:
        """Latitude and longitude."""
        return self.city.projection.place((at[0] + self.x, at[1] + self.y))

    def wkt(self, shape: BaseGeometry) -> str:
        return self.city.projection.wkt(translate(shape, self.x, self.y))


def write_masters(city: City, folder: Path, scale: Scale = TOWN) -> list[Path]:
    """Write every file into the folder; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    islands = [
        _Island(city, prefix, x, y)
        for prefix, (x, y) in zip(scale.names([""]), scale.offsets().tolist(), strict=True)
    ]
    return [
        _write(folder / f"{name}.csv", columns, (row for island in islands for row in rows(island)))
        for name, columns, rows in _FILES
    ]


def _write(path: Path, columns: str, rows: _Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns.split())
        writer.writerows(rows)
    return path


def _gauges(on: _Island) -> Iterator[tuple[_Cell, ...]]:
    for g in on.city.gauges:
        yield on.id(g.id), g.name.ja, g.name.en, g.river.name.ja, *on.place(g.at), *g.levels
    for u in on.city.plan.underpass:
        yield on.id(u.id), u.name.ja, u.name.en, "アンダーパス", *on.place(u.at), *UNDERPASS_LEVELS


def _receivers(on: _Island) -> _Rows:
    for r in on.city.receivers:
        yield on.id(r.id), on.id(f"place-{r.place.id}"), r.name.ja, r.name.en, *on.place(r.at)


def _cameras(on: _Island) -> _Rows:
    for c in on.city.cameras:
        yield on.id(c.id), on.id(f"place-{c.place.id}"), c.name.ja, c.name.en, *on.place(c.place.at)


def _paddies(on: _Island) -> _Rows:
    for p in on.city.paddies:
        middle = p.shape.centroid
        at = on.place((middle.x, middle.y))
        yield on.id(p.id), p.name.ja, p.name.en, round(p.shape.area), *at, on.wkt(p.shape)


def _ports(on: _Island) -> _Rows:
    for p in on.city.ports:
        yield on.id(p.id), p.name.ja, p.name.en, p.capacity, *on.place(p.at)


def _bikes(on: _Island) -> _Rows:
    for bike in on.city.bikes:
        yield on.id(bike), f"なみチャリ {on.id(bike.removeprefix('bike-'))}"


def _basemap(on: _Island) -> _Rows:
    for f in on.city.features:
        yield on.id(f.id), f.kind, f.name.ja, f.name.en, on.wkt(f.shape)


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
    ("cameras", "id place_id name_ja name_en lat lon", _cameras),
    ("paddies", "id name_ja name_en area_m2 lat lon wkt", _paddies),
    ("ports", "id name_ja name_en capacity lat lon", _ports),
    ("bikes", "id name", _bikes),
    ("basemap", "id kind name_ja name_en wkt", _basemap),
)
