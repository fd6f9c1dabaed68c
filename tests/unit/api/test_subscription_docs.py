"""docs/subscriptions.md says what is served."""

import re
from pathlib import Path
from typing import Final

from graphql import build_schema, parse, validate

from api.config import SUBSCRIPTION_LOOK_S, SUBSCRIPTIONS_PER_SOCKET_MAX
from parking.events.outbox import CATCH_UP_MAX
from parking.notices import repository

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "subscriptions.md").read_text(encoding="utf-8")
SCHEMA: Final = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))


def test_the_examples_are_valid() -> None:
    examples = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 4
    for example in examples:
        assert validate(SCHEMA, parse(example)) == [], example


def test_every_subscription_is_told_with_what_it_goes_on_with() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \|.*\| `?(\w+)", PAGE, re.MULTILINE))
    assert SCHEMA.subscription_type is not None
    served = {
        name: next((arg for arg in field.args if arg.startswith("after")), "nothing")
        for name, field in SCHEMA.subscription_type.fields.items()
    }
    assert told == served


def test_the_limits_are_the_ones_of_the_code() -> None:
    assert f"any number of subscriptions, {SUBSCRIPTIONS_PER_SOCKET_MAX} at most" in PAGE
    assert CATCH_UP_MAX == repository.CATCH_UP_MAX
    assert f"a page of at most {CATCH_UP_MAX} at a time" in PAGE
    assert f"costs {SUBSCRIPTION_LOOK_S:g} s at most" in PAGE
