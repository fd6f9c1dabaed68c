"""The reliability curve: what was predicted against what happened."""

from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from parking.kit.errors import InvalidInputError
from sesame.habits.evaluation import Evaluation

_KINDS: Final = frozenset({"png", "svg"})


def draw_reliability(found: Evaluation, path: Path) -> None:
    """Write a picture of how far probabilities can be believed.

    Raises:
        InvalidInputError: the file is to be neither PNG nor SVG.
        OSError: it cannot be written.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in _KINDS:
        raise InvalidInputError("--plot", "a file that ends in .png or .svg")
    figure: Any = Figure(figsize=(5.2, 4.6), layout="constrained")
    panel: Any = figure.subplots()
    panel.plot([0, 1], [0, 1], color="#b0b0b0", linewidth=1, label="as predicted")
    bins = found.habits.bins
    panel.plot(
        [each.predicted for each in bins],
        [each.happened for each in bins],
        color="#1f4e9c",
        marker="o",
        label="habits",
    )
    panel.set_xlabel("predicted probability of a visit")
    panel.set_ylabel("how often there was one")
    panel.set_title(f"calibration error {found.habits.calibration_error:.4f}", loc="left")
    panel.legend()
    figure.savefig(path, format=kind, dpi=110)
