"""Streets: drawn by rule from the plan's grids and fans, and the graph that bikes ride on."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from shapely import LineString, MultiLineString, union_all
from shapely.geometry.base import BaseGeometry

from machinami_simulators.geometry import Floats, Point, turned
from machinami_simulators.plan import StreetFan, StreetGrid

_POINTS = 9  # of a bent street
_SHORTEST = 60.0  # metres; what cutting leaves below this is no street


def grid_streets(grid: StreetGrid) -> list[LineString]:
    """The lines of a grid, rows first, bent like a bow across their length."""
    width, height = grid.columns * grid.block[0], grid.rows * grid.block[1]
    xs, ys = (np.linspace(-size / 2, size / 2, _POINTS) for size in (width, height))
    across = np.linspace(-width / 2, width / 2, grid.columns + 1)
    along = np.linspace(-height / 2, height / 2, grid.rows + 1)
    flat = [np.column_stack([xs, np.full(_POINTS, y)]) for y in along]
    flat += [np.column_stack([np.full(_POINTS, x), ys]) for x in across]
    return [_bent(line, grid, width) for line in flat]


def _bent(line: Floats, grid: StreetGrid, width: float) -> LineString:
    line[:, 1] += grid.bend * (2 * line[:, 0] / width) ** 2
    return LineString(turned(line, degrees=grid.angle, about=grid.centre))


def fan_streets(fan: StreetFan) -> list[LineString]:
    """The arcs of a fan, then its spokes from the innermost to the outermost arc."""
    angles = np.radians(np.linspace(fan.from_angle, fan.to_angle, 40))
    unit = np.column_stack([np.cos(angles), np.sin(angles)])
    arcs = [LineString(unit * radius + fan.centre) for radius in fan.radii]
    spokes = np.radians(np.linspace(fan.from_angle, fan.to_angle, fan.spokes))
    ends = np.column_stack([np.cos(spokes), np.sin(spokes)])
    inner, outer = fan.radii[0], fan.radii[-1]
    return arcs + [LineString([end * inner + fan.centre, end * outer + fan.centre]) for end in ends]


def cut(street: LineString, inside: BaseGeometry) -> list[LineString]:
    """What of the street lies inside, without scraps."""
    kept = street.intersection(inside)
    parts = kept.geoms if isinstance(kept, MultiLineString) else [kept]
    return [part for part in parts if isinstance(part, LineString) and part.length >= _SHORTEST]


class StreetGraph:
    """Points of streets and the straight pieces between them; answers the shortest way. Metres."""

    def __init__(self, lines: Iterable[LineString]) -> None:
        crossed = union_all([LineString(pair) for line in lines for pair in pairwise(line.coords)])
        edges: dict[Point, dict[Point, float]] = defaultdict(dict)
        for piece in crossed.geoms if isinstance(crossed, MultiLineString) else [crossed]:
            start, end = (_node(point) for point in piece.coords)
            if start != end:
                edges[start][end] = edges[end][start] = piece.length
        self._edges = _largest_part(edges)
        self._places = np.array(list(self._edges))

    def __len__(self) -> int:
        return len(self._edges)

    def nearest(self, point: Point) -> Point:
        """The point of the streets nearest to a point."""
        distance = np.hypot(self._places[:, 0] - point[0], self._places[:, 1] - point[1])
        return _node(self._places[int(distance.argmin())])

    def routes(self, start: Point, ends: Sequence[Point]) -> dict[Point, Floats]:
        """The shortest ways from a point of the streets to others, each as a line (n × 2)."""
        came = _reach(self._edges, start)
        return {end: _trace(came, end) for end in ends if end != start}


_Edges: TypeAlias = Mapping[Point, Mapping[Point, float]]
_Came: TypeAlias = dict[Point, Point | None]


def _reach(edges: _Edges, start: Point) -> _Came:
    """Dijkstra's algorithm: each point that can be reached, with the point before it on the shortest way."""
    came: _Came = {}
    ahead: list[tuple[float, Point, Point | None]] = [(0.0, start, None)]
    while ahead:
        distance, node, before = heapq.heappop(ahead)
        if node in came:
            continue
        came[node] = before
        for other, length in edges[node].items():
            if other not in came:
                heapq.heappush(ahead, (distance + length, other, node))
    return came


def _largest_part(edges: _Edges) -> _Edges:
    """Without streets that nobody can ride to."""
    left, largest = list(edges), _Came()
    while left:
        part = _reach(edges, left[0])
        left = [node for node in left if node not in part]
        largest = max(largest, part, key=len)
    return {node: ends for node, ends in edges.items() if node in largest}


def _trace(came: _Came, end: Point) -> Floats:
    way: list[Point] = []
    node: Point | None = end
    while node is not None:
        way.append(node)
        node = came[node]
    return np.array(way[::-1])


def _node(point: Sequence[float] | Floats) -> Point:
    return round(float(point[0]), 1), round(float(point[1]), 1)


def lengths(line: Floats) -> Floats:
    """Metres from the start of a line to each of its points."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    return np.concatenate([[0.0], np.cumsum(steps)])


def along(line: Floats, lengths: Floats, metres: float) -> Point:
    """The point of a line that lies `metres` from its start; `lengths` as above."""
    return float(np.interp(metres, lengths, line[:, 0])), float(np.interp(metres, lengths, line[:, 1]))
