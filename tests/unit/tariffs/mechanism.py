"""The mechanism that the tariff model was sketched with: to compare with, where it is at hand."""

import importlib.util
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

_FILE: Final = Path(__file__).parents[4] / "shared" / "sketches" / "tariff" / "ratecalc.py"
_CAP_MINUTES: Final = 720


def load() -> Callable[[dict[str, Any], datetime, datetime], tuple[int, list[Any]]] | None:
    """Return its function from table, entry and exit to amount and items."""
    spec = importlib.util.spec_from_file_location("ratecalc", _FILE)
    if not _FILE.exists() or spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.charge


def agreed(table: dict[str, Any]) -> dict[str, Any]:
    """Return the table without what the mechanism gets wrong; each has a test of its own."""
    collections = [_plain(collection) for collection in table["collections"]]
    for collection in collections[1:]:
        # It starts the cap of a window again where a collection before it interrupts the window.
        collection.pop("cap", None)
    is_prorated = any(
        line["kind"] == "per_second" for each in collections for line in each["lines"]
    )
    # What a cap takes off fills those that come before it in the list.
    by_amount = sorted(table["caps"], key=lambda cap: cap["amount"])
    caps = [] if is_prorated else [_from_first_block(cap) for cap in by_amount]
    packages = [
        package
        for package in table["packages"]
        if all(package[way][0] < package[way][1] for way in ("enter", "exit"))
    ]
    return table | {"collections": collections, "caps": caps, "packages": packages}


def _plain(collection: dict[str, Any]) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    for line in collection["lines"]:
        start = lines[-1]["to"] if lines else 0
        if line["from"] > start:
            lines.append({"kind": "free", "from": start, "to": line["from"]})
        lines.append(line)
    days = collection.get("days")
    if days is not None and set(days) == {"noholiday"}:
        days = ["workday", "nonworkday", "noholiday"]
    return collection | {"lines": lines} | ({} if days is None else {"days": days})


def _from_first_block(cap: dict[str, Any]) -> dict[str, Any]:
    """Return the cap; with `collection` the mechanism counts minutes from its first block, once."""
    return cap | {"minutes": _CAP_MINUTES, "once": True} if "collection" in cap else cap
