"""Every example of docs/api.md is valid against the schema that is served."""

import re
from pathlib import Path

from graphql import build_schema, parse, validate

from api.config import (
    CONNECTION_INIT_TIMEOUT_S,
    PAGE_SIZE_MAX,
    SOCKETS_PER_DRIVER_MAX,
    SOCKETS_UNACKNOWLEDGED_PER_ADDRESS_MAX,
    SUBSCRIPTIONS_PER_SOCKET_MAX,
)

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_examples_are_valid() -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))
    examples = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)
    # None may get lost; more may come.
    assert len(examples) >= 10
    for example in examples:
        assert validate(schema, parse(example)) == [], example


def test_the_limits_are_the_ones_of_the_code() -> None:
    assert f"{SUBSCRIPTIONS_PER_SOCKET_MAX} subscriptions a socket" in PAGE
    assert f"Pages of at most {PAGE_SIZE_MAX}" in PAGE
    assert f"no `connection_init` in {CONNECTION_INIT_TIMEOUT_S} s" in PAGE
    assert f"{SOCKETS_PER_DRIVER_MAX} a driver" in PAGE
    assert f"{SOCKETS_UNACKNOWLEDGED_PER_ADDRESS_MAX} from one address" in PAGE
