"""A second opinion on what breaks a client: npm `@graphql-inspector/core` on our own schemas."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Final

from sesame.schema_changes import compare
from tests.factories.node_peers import needs_peer, run_peer

pytestmark = needs_peer("@graphql-inspector/core")

ROOT: Final = Path(__file__).parents[2]
_DESCRIPTION: Final = re.compile(r'^ *"""(.|\n)*?"""\n', re.MULTILINE)
TODAY: Final = date(2026, 11, 23)
# What is changed in which schema, and what breaks by it.
CASES: Final = (
    ("schema", "type Plate implements Node {", "type Plate {", "Plate"),
    ("schema", "\n  plateIds: [ID!]!", "\n  plateIds: [ID!]!\n  garage: ID!", "garage"),
    ("schema", "\n  amountMinor: Int!", "\n  amountMinor: Int", "Money.amountMinor"),
    ("schema", "\n  LEAVING\n", "\n", "SessionState.LEAVING"),
    ("staff", "\n  takeCash(", "\n  takeCoins(", "StaffMutation.takeCash"),
    ("staff", "union TakeCashResult = CashTaken | ", "union TakeCashResult = ", "TakeCashResult"),
    ("schema", "\n  LEAVING\n", "\n  LEAVING\n  HOVERING\n", None),
    ("staff", "type CashTaken {", "type CashTaken {\n  coins: Int\n", None),
)


async def test_both_find_the_same_breaks(tmp_path: Path) -> None:
    pairs: list[tuple[str, str]] = []
    for name, old, new, _ in CASES:
        text = _DESCRIPTION.sub("", (ROOT / f"{name}.graphql").read_text(encoding="utf-8"))
        assert old in text, old
        pairs.append((text, text.replace(old, new, 1)))
    given = tmp_path / "pairs.json"
    given.write_text(json.dumps(pairs), encoding="utf-8")
    theirs = await run_peer("inspect_schema.js", str(given))
    for (before, after), found, (*_, broken) in zip(pairs, theirs, CASES, strict=True):
        ours = compare(before, after, today=TODAY).breaking
        if broken is None:
            assert (ours, found) == ([], [])
        else:
            assert ours, broken
            assert found, broken
            assert any(broken in each for each in ours), (broken, ours)
            assert any(broken in each for each in found), (broken, found)
