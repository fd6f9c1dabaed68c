"""What an agent tells whoever runs it: one record for each thing that happened."""

from collections.abc import Callable

Report = dict[str, object]
"""`event` names what happened; the other fields depend on it, and all are plain JSON."""

Reporter = Callable[[Report], None]


def silent(report: Report) -> None:
    """Tell nobody."""
    del report
