"""Price curves drawn with characters."""

from datetime import datetime, timedelta
from typing import Any, Final

import plotext

from parking.kit.money import minor_digits
from sesame.price_plots.curve import PlottedCurve, StretchKind

WIDTH_COLUMNS: Final = 96
HEIGHT_ROWS: Final = 22
_TICKS: Final = 7
_LEVELS: Final = 5
_MARKS: Final = {StretchKind.FREE: "░", StretchKind.CAPPED: "▔"}
_LEGEND: Final = {StretchKind.FREE: "free", StretchKind.CAPPED: "a cap is reached"}


def draw_in_terminal(curve: PlottedCurve) -> str:
    """Return the plot as text without colours."""
    # The library has one figure for the process and no types; nothing else here uses it.
    figure: Any = plotext.figure  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(WIDTH_COLUMNS, HEIGHT_ROWS)
    figure.title(f"{curve.title or 'price'} ({curve.currency})")
    times, prices = curve.corners()
    top = max(prices, default=0.0)
    _draw_stretches(figure, curve)
    for cap in curve.caps:
        if 0 < curve.major(cap.amount_minor) <= top:
            figure.line(curve.major(cap.amount_minor), 0, style="dotted")
    signal = figure.signal([_minutes(curve, at) for at in times], prices, marker="hd")
    signal.lines()
    figure.draw(signal)
    figure.ruler("x").ticks(*_ticks(curve))
    levels = [top * index / _LEVELS for index in range(_LEVELS + 1)]
    digits = minor_digits(curve.currency)
    figure.ruler("y").ticks(levels, [f"{level:.{digits}f}" for level in levels])
    plot: str = figure.build().string(colorless=True)
    return "\n".join((plot.rstrip(), *_key(curve, top)))


def _draw_stretches(figure: Any, curve: PlottedCurve) -> None:  # noqa: ANN401 - it has no types
    for stretch in curve.stretches:
        span = [_minutes(curve, stretch.starts_at), _minutes(curve, stretch.ends_at)]
        signal = figure.signal(span, [0, 0], marker=_MARKS[stretch.kind])
        signal.lines()
        figure.draw(signal)


def _ticks(curve: PlottedCurve) -> tuple[list[float], list[str]]:
    step = (curve.until - curve.entered_at) / (_TICKS - 1)
    moments = [curve.entered_at + step * index for index in range(_TICKS)]
    whole = [moment.replace(second=0, microsecond=0) for moment in moments]
    return [_minutes(curve, at) for at in whole], [_label(curve, at) for at in whole]


def _label(curve: PlottedCurve, at: datetime) -> str:
    return f"{at.astimezone(curve.zone):%a %H:%M}"


def _minutes(curve: PlottedCurve, at: datetime) -> float:
    return (at - curve.entered_at) / timedelta(minutes=1)


def _key(curve: PlottedCurve, top: float) -> list[str]:
    """Return what the marks mean, below the plot."""
    entered = curve.entered_at.astimezone(curve.zone)
    lines = [f"  entry {entered:%Y-%m-%d %H:%M}, by the time of the exit"]
    kinds = {stretch.kind for stretch in curve.stretches}
    lines += [f"  {_MARKS[kind]} {_LEGEND[kind]}" for kind in StretchKind if kind in kinds]
    lines += [f"  ┈ {cap.label}" for cap in curve.caps if 0 < curve.major(cap.amount_minor) <= top]
    return lines
