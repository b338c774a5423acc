"""Line charts as inline SVG: a few hundred points, linear or logarithmic, no library and no network."""

import json
import math
from collections.abc import Iterator, Sequence
from html import escape

import msgspec

_WIDTH, _HEIGHT = 520.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 10.0, 12.0, 28.0
_MOST_TICKS = 5
_SMALLEST = 1e-6  # what is less is drawn as nothing
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
_SPANS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One line: values beside the chart's times, None where there is a gap. Colour: number in the palette."""

    name: str
    values: Sequence[float | None]
    colour: int


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A chart of lines over seconds of the run."""

    title: str
    unit: str
    note: str
    series: Sequence[Series]
    logarithmic: bool = False


class _Scale(msgspec.Struct, frozen=True):
    """Values to heights."""

    low: float
    high: float
    ticks: Sequence[float]
    logarithmic: bool

    def y(self, value: float) -> float:
        share = (self._at(max(value, self.low)) - self._at(self.low)) / (
            self._at(self.high) - self._at(self.low)
        )
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    def _at(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def figure(chart: Chart, times: Sequence[float], until: float) -> str:
    """The chart as a ``<figure>`` with its legend; empty when no line has a value.

    Args:
        times: seconds at which the values stand.
        until: seconds at the right edge.
    """
    lines = [line for line in chart.series if any(value is not None for value in line.values)]
    values = [value for line in lines for value in line.values if value is not None]
    if not values:
        return ""
    scale = _logarithmic(values) if chart.logarithmic else _linear(values)
    xs = [_x(time, until) for time in times]
    data = {
        "times": list(times),
        "xs": xs,
        "unit": chart.unit,
        "lines": [{"name": line.name, "colour": line.colour, "values": list(line.values)} for line in lines],
    }
    legend = "".join(
        f'<li><span class="swatch c{line.colour}"></span>{escape(line.name)}</li>' for line in lines
    )
    body = "".join([*_grid(scale), *_clock(until), *(_path(line, xs, scale) for line in lines)])
    return (
        f"<figure class='chart' data-chart='{escape(json.dumps(data, ensure_ascii=False))}'>"
        f"<figcaption><h3>{escape(chart.title)} <small>{escape(chart.unit)}</small></h3>"
        f"<ul class='legend'>{legend}</ul></figcaption>"
        f"<div class='plot'><svg viewBox='0 0 {_WIDTH:g} {_HEIGHT:g}' role='img' "
        f"aria-label='{escape(chart.title)}, {escape(chart.unit)}'>{body}"
        f"<line class='cursor' y1='{_TOP}' y2='{_HEIGHT - _BOTTOM}'/></svg><output hidden=''></output></div>"
        f"<p class='note'>{escape(chart.note)}</p></figure>"
    )


def number(value: float) -> str:
    """A figure as a person reads it: 12,345 · 9.87 · 0.012."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"


def _linear(values: Sequence[float]) -> _Scale:
    highest = max(*values, _SMALLEST)
    raw = highest / _MOST_TICKS
    power = 10 ** math.floor(math.log10(raw))
    step = next(nice * power for nice in _NICE if nice * power >= raw)
    count = math.ceil(highest / step - 1e-9)
    return _Scale(0.0, count * step, [step * n for n in range(count + 1)], False)


def _logarithmic(values: Sequence[float]) -> _Scale:
    positive = [max(value, _SMALLEST) for value in values if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    high = max(high, low + 1)
    steps = (1, 2, 5) if high - low <= 2 else (1,)
    ticks = [10.0**power * step for power in range(low, high) for step in steps] + [10.0**high]
    return _Scale(10.0**low, 10.0**high, ticks, True)


def _x(time: float, until: float) -> float:
    return round(_LEFT + time / until * (_WIDTH - _LEFT - _RIGHT), 1)


def _grid(scale: _Scale) -> Iterator[str]:
    for tick in scale.ticks:
        y = scale.y(tick)
        yield f"<line class='grid' x1='{_LEFT}' x2='{_WIDTH - _RIGHT}' y1='{y}' y2='{y}'/>"
        yield f"<text x='{_LEFT - 8}' y='{y + 4}' text-anchor='end'>{number(tick)}</text>"


def _clock(until: float) -> Iterator[str]:
    span = next((span for span in _SPANS if until / span <= 6), _SPANS[-1])
    for n in range(int(until / span) + 1):
        x = _x(n * span, until)
        yield f"<text x='{x}' y='{_HEIGHT - 8}' text-anchor='middle'>{_clock_text(n * span, span)}</text>"


def _clock_text(seconds: int, span: int) -> str:
    if span < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if span < 3600 else f"{seconds // 3600} h"


def _path(line: Series, xs: Sequence[float], scale: _Scale) -> str:
    steps: list[str] = []
    pen_up = True
    for x, value in zip(xs, line.values, strict=True):
        if value is not None:
            # A lone point would be a path of no length: the round cap of h0 makes it a dot.
            steps.append(f"{'M' if pen_up else 'L'}{x} {scale.y(value)}{'h0' if pen_up else ''}")
        pen_up = value is None
    return f"<path class='line c{line.colour}' d='{''.join(steps)}'/>"
