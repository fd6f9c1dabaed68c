"""Every example of docs/api.md is valid against the schema that is served."""

import re
from pathlib import Path

from graphql import build_schema, parse, validate

from api import config
from api.config import (
    CONNECTION_INIT_TIMEOUT_S,
    PAGE_SIZE_MAX,
    SOCKETS_PER_DRIVER_MAX,
    SOCKETS_UNACKNOWLEDGED_PER_ADDRESS_MAX,
    SUBSCRIPTIONS_PER_SOCKET_MAX,
)
from api.draining import CLOSED_AT_ONCE_MAX

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SERVER_PAGE = (ROOT / "docs" / "api-server.md").read_text(encoding="utf-8")


def test_the_examples_are_valid() -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))
    examples = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)
    # None may get lost; more may come.
    assert len(examples) >= 10
    for example in examples:
        assert validate(schema, parse(example)) == [], example


def test_the_servers_limits_are_the_ones_of_the_code() -> None:
    rates = config.Rates()
    for told in (
        f"more than {config.BODY_BYTES_MAX // 1024} KiB",
        f"longer than {config.BODY_TIMEOUT_S:g} s",
        f"longer than {config.OPERATION_TIMEOUT_S:g} s",
        f"| tokens | {config.QUERY_TOKENS_MAX} |",
        f"| levels of fields | {config.QUERY_DEPTH_MAX} |",
        f"| levels of braces, fragments too | {config.QUERY_NESTING_MAX} |",
        f"are used | {config.QUERY_ALIASES_MAX} |",
        f"| directives | {config.QUERY_DIRECTIVES_MAX} |",
        f"in one object | {config.QUERY_REPEATS_MAX} |",
        f"written out | {config.QUERY_FIELDS_MAX} |",
        f"| points | {config.OPERATION_POINTS_MAX} |",
        f"of {rates.person.points_max} points that fills by {rates.person.points_per_s} a second",
        f"shares {rates.address.points_max} points, {rates.address.points_per_s} a second",
        f"The last {config.DOCUMENTS_CACHED_MAX} documents",
        f"{config.DOCUMENTS_CACHED_BYTES_MAX // 2**20} MiB at most",
        f"of {config.COMPRESSED_BYTES_MIN} bytes and more",
        f"{CLOSED_AT_ONCE_MAX} at a time",
    ):
        assert told in SERVER_PAGE, told


def test_the_limits_are_the_ones_of_the_code() -> None:
    assert f"{SUBSCRIPTIONS_PER_SOCKET_MAX} subscriptions a socket" in PAGE
    assert f"Pages of at most {PAGE_SIZE_MAX}" in PAGE
    assert f"no `connection_init` in {CONNECTION_INIT_TIMEOUT_S} s" in PAGE
    assert f"{SOCKETS_PER_DRIVER_MAX} a driver" in PAGE
    assert f"{SOCKETS_UNACKNOWLEDGED_PER_ADDRESS_MAX} from one address" in PAGE
