"""Streets: drawn by rule from the plan's grids and fans, and the graph that bikes ride on."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

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
    """Crossings and the street pieces between them; answers the shortest way. Metres."""

    def __init__(self, lines: Iterable[LineString]) -> None:
        merged = union_all(list(lines))
        pieces = merged.geoms if isinstance(merged, MultiLineString) else [merged]
        self._edges: dict[Point, list[tuple[Point, float, Floats]]] = defaultdict(list)
        for piece in pieces:
            path = np.round(np.array(piece.coords), 1)
            start, end = _node(path[0]), _node(path[-1])
            self._edges[start].append((end, piece.length, path))
            self._edges[end].append((start, piece.length, path[::-1]))
        self._keep_largest_part()
        self._places = np.array(list(self._edges))

    def _keep_largest_part(self) -> None:
        left, largest = set(self._edges), set[Point]()
        while left:
            part = set(self._reach(next(iter(sorted(left)))))
            left -= part
            largest = max(largest, part, key=len)
        self._edges = {node: edges for node, edges in self._edges.items() if node in largest}

    def __len__(self) -> int:
        return len(self._edges)

    def nearest(self, point: Point) -> Point:
        """The crossing nearest to a point."""
        distance = np.hypot(self._places[:, 0] - point[0], self._places[:, 1] - point[1])
        return _node(self._places[int(distance.argmin())])

    def routes(self, start: Point, ends: Sequence[Point]) -> dict[Point, Floats]:
        """The shortest ways from a crossing to others, each as a line (n × 2)."""
        came = self._reach(start)
        return {end: self._trace(came, end) for end in ends if end != start}

    def _reach(self, start: Point) -> dict[Point, tuple[Point, Floats] | None]:
        """Dijkstra's algorithm: each crossing that can be reached, with the last piece of the way there."""
        came: dict[Point, tuple[Point, Floats] | None] = {}
        ahead: list[tuple[float, Point, tuple[Point, int] | None]] = [(0.0, start, None)]
        while ahead:
            distance, node, last = heapq.heappop(ahead)
            if node in came:
                continue
            came[node] = None if last is None else (last[0], self._edges[last[0]][last[1]][2])
            for index, (other, length, _) in enumerate(self._edges[node]):
                if other not in came:
                    heapq.heappush(ahead, (distance + length, other, (node, index)))
        return came

    def _trace(self, came: dict[Point, tuple[Point, Floats] | None], end: Point) -> Floats:
        pieces: list[Floats] = []
        step = came[end]
        while step is not None:
            pieces.append(step[1])
            step = came[step[0]]
        whole = [pieces[-1]] + [piece[1:] for piece in reversed(pieces[:-1])]
        return np.vstack(whole)


def _node(point: Floats) -> Point:
    return round(float(point[0]), 1), round(float(point[1]), 1)


def lengths(line: Floats) -> Floats:
    """Metres from the start of a line to each of its points."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    return np.concatenate([[0.0], np.cumsum(steps)])


def pieces(line: Sequence[Point]) -> list[LineString]:
    """A line as its straight pieces."""
    return [LineString(pair) for pair in pairwise(line)]
