"""Price curves drawn into a PNG file."""

import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib import dates
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import FuncFormatter, MaxNLocator

from parking.kit.money import minor_digits
from sesame.price_plots.curve import PlottedCurve, StretchKind

PANELS_MAX: Final = 48
_PANEL_INCHES: Final = (6.4, 3.1)
_DOTS_PER_INCH: Final = 110
_COLUMNS: Final = 2
_LINE: Final = "#1f4e9c"
_SHADES: Final = {StretchKind.FREE: "#cfe9d2", StretchKind.CAPPED: "#fbe6c3"}
_WORDS: Final = {StretchKind.FREE: "free", StretchKind.CAPPED: "a cap is reached"}
_TICKS_MAX: Final = 9
_HOUR_STEPS: Final = (1, 2, 3, 4, 6, 12, 24)
_HEADROOM: Final = 1.2
_SMALL: Final = 7.5
_SECONDS_PER_HOUR: Final = 3600
_CAP_COLOUR: Final = "#b3541e"
# The library is typed in parts only: what it leaves unknown goes through here.
_mpl: Final[Any] = mpl
_dates: Final[Any] = dates
# Fonts that many systems have for names in Chinese and Japanese; the first that is there is used.
_FONTS: Final = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Micro Hei")


def draw_png(curves: Sequence[PlottedCurve], path: Path) -> None:
    """Write one picture with a panel for each curve, two in a row.

    Raises:
        OSError: the file cannot be written.
    """
    shown = curves[:PANELS_MAX]
    rows = -(-len(shown) // _COLUMNS)
    columns = min(_COLUMNS, len(shown))
    fonts = {"font.family": "sans-serif", "font.sans-serif": _installed_fonts()}
    with _mpl.rc_context(fonts), warnings.catch_warnings():
        # A name in a script that no installed font has is drawn as boxes; the prices are readable.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # A figure without a window: the canvas that draws PNG files (Agg) is made when saving.
        figure: Any = Figure(
            figsize=(_PANEL_INCHES[0] * columns, _PANEL_INCHES[1] * rows), layout="constrained"
        )
        panels: Any = figure.subplots(rows, columns, squeeze=False)
        flat = [panel for row in panels for panel in row]
        for panel, curve in zip(flat, shown, strict=False):
            _draw(panel, curve)
        for panel in flat[len(shown) :]:
            panel.set_visible(False)
        figure.savefig(path, format="png", dpi=_DOTS_PER_INCH)


def _installed_fonts() -> list[str]:
    names = {entry.name for entry in fontManager.ttflist}
    return [name for name in _FONTS if name in names]


def _draw(panel: Any, curve: PlottedCurve) -> None:  # noqa: ANN401 - partly typed
    times, prices = curve.corners()
    panel.plot(times, prices, color=_LINE, linewidth=1.8, zorder=3)
    top = max(prices, default=0.0) or 1.0
    panel.set_ylim(-top * 0.02, top * _HEADROOM)
    panel.set_xlim(curve.entered_at, curve.until)
    for stretch in curve.stretches:
        shade, words = _SHADES[stretch.kind], _WORDS[stretch.kind]
        panel.axvspan(stretch.starts_at, stretch.ends_at, color=shade, label=words, linewidth=0)
    for cap in curve.caps:
        if 0 < curve.major(cap.amount_minor) <= top * _HEADROOM:
            _draw_cap(panel, cap.label, curve.major(cap.amount_minor))
    _label_prices(panel, curve)
    _label_times(panel, curve)


def _draw_cap(panel: Any, label: str, level: float) -> None:  # noqa: ANN401 - partly typed
    panel.axhline(level, color=_CAP_COLOUR, linewidth=1, linestyle=(0, (4, 3)), zorder=2)
    panel.annotate(
        label,
        (0.995, level),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        fontsize=_SMALL,
        color=_CAP_COLOUR,
    )


def _label_prices(panel: Any, curve: PlottedCurve) -> None:  # noqa: ANN401 - partly typed
    entered = curve.entered_at.astimezone(curve.zone)
    panel.set_title(f"{curve.title}\nentry {entered:%a %Y-%m-%d %H:%M}", fontsize=9.5, loc="left")
    panel.set_ylabel(f"price, {curve.currency}", fontsize=8.5)
    digits = minor_digits(curve.currency)

    def worded(value: float, position: int | None) -> str:
        _ = position
        return f"{value:.{digits}f}"

    panel.yaxis.set_major_locator(MaxNLocator(6))
    panel.yaxis.set_major_formatter(FuncFormatter(worded))
    panel.tick_params(labelsize=_SMALL)
    panel.grid(visible=True, color="#e4e4e4", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    handles, labels = panel.get_legend_handles_labels()
    # Each stretch has a label of its own; one of a kind is enough.
    unique = dict(zip(labels, handles, strict=True))
    if unique:
        panel.legend(unique.values(), unique.keys(), fontsize=_SMALL, loc="upper left")


def _label_times(panel: Any, curve: PlottedCurve) -> None:  # noqa: ANN401 - partly typed
    """Put the place's wall clock on the axis of time; days are named at midnight."""
    hours = (curve.until - curve.entered_at).total_seconds() / _SECONDS_PER_HOUR
    step = next((step for step in _HOUR_STEPS if hours / step <= _TICKS_MAX), _HOUR_STEPS[-1])

    def worded(number: float, position: int | None) -> str:
        _ = position
        moment: datetime = _dates.num2date(number, tz=curve.zone)
        return f"{moment:%H:%M}" if moment.hour else f"{moment:%H:%M}\n{moment:%a %d %b}"

    locator: Any = dates.HourLocator(byhour=range(0, _HOUR_STEPS[-1], step), tz=curve.zone)
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(FuncFormatter(worded))
