"""Nobody reaches what is not theirs: every field of both schemas, walked by those it is not for."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.factories.api import ApiWorld
from tests.factories.schema_walk import documents
from tests.factories.walked_world import (
    FOR_EVERYBODY,
    GIVEN,
    KINDS,
    PUBLIC,
    Stage,
    owned,
    set_stage,
    strangers,
    told_to,
)

# Given wherever something may be given ("*"), also where it can be left out.
HOSTILE: Final[tuple[Mapping[str, Any], ...]] = (
    {"*": True, "String": "a\x00b", "DateTime": "0001-01-01T00:00:00+23:59", "Date": "0001-01-01"},
    {"*": True, "String": "\u202e" * 1000, "DateTime": "9999-12-31T23:59:59-23:59"},
    {"*": True, "String": "", "DateTime": "2026-12-01T00:00:00", "Date": "9999-12-31"},
    {"Int": 2**31 - 1, "JSON": {"timezone": "\x00", "lines": [1e308]}},
    {"Int": -(2**31), "JSON": [None] * 1000},
)


@pytest.fixture
async def stage(api: ApiWorld) -> Stage:
    return await set_stage(api)


async def test_whoever_has_no_token_for_it_is_told_so_by_every_field(stage: Stage) -> None:
    ids = await owned(stage)
    askers = [asker for asker in await strangers(stage.api) if not asker.is_somebody]
    before = await stage.table_rows()
    for asker in askers:
        for call in documents(stage.schema(asker.path)):
            if call.name in FOR_EVERYBODY:
                continue
            told = await told_to(stage.api, asker, call, call.variables(ids, GIVEN))
            assert '"code": "UNAUTHENTICATED"' in told or '"code": "TOKEN_EXPIRED"' in told, (
                asker.name,
                call.name,
                told,
            )
            assert not any(text in told for text in ids.secrets), (asker.name, call.name, told)
    assert await stage.table_rows() == before


async def test_every_field_keeps_what_is_not_the_askers(stage: Stage) -> None:
    ids = await owned(stage)
    assert set(ids.by_kind) >= KINDS, sorted(ids.by_kind)
    askers = [asker for asker in await strangers(stage.api) if asker.is_somebody]
    before = await stage.table_rows()
    for asker in askers:
        for call in documents(stage.schema(asker.path)):
            if call.kind == "mutation" and not call.takes_id:
                # It writes the asker's own.
                continue
            told = await told_to(stage.api, asker, call, call.variables(ids, GIVEN))
            unknown = await told_to(stage.api, asker, call, call.variables(ids.unknown(), GIVEN))
            assert told == unknown or call.name in PUBLIC, (asker.name, call.name)
            seen = [told]
            for kind in sorted(ids.by_kind) if call.takes_id else ():
                # Not of the kind that is meant, or the very id of the `node`.
                given = call.variables(ids.only(kind), GIVEN)
                seen.append(await told_to(stage.api, asker, call, given))
            found = [text for text in ids.secrets if any(text in one for one in seen)]
            assert not found, (asker.name, call.name, found)
    assert await stage.table_rows() == before


@pytest.mark.parametrize("given", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_value_makes_an_error_that_nobody_foresaw(
    stage: Stage, given: Mapping[str, Any]
) -> None:
    ids = await owned(stage)
    for asker in await stage.owners():
        for call in documents(stage.schema(asker.path)):
            await told_to(stage.api, asker, call, call.variables(ids, {**GIVEN, **given}))
