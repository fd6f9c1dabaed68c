"""Mutations that a client may send again under a key of its own, and are done once.

A phone in a garage loses the answer, not the request. With a key it asks again and gets the same
answer; without one it gets what the act itself says the second time.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial, wraps
from typing import Annotated, Any, Final, cast, get_type_hints
from uuid import UUID

import strawberry

from api import reads
from api.answers import AnswerText, FindNode, written
from api.global_ids import Node
from api.refusals import InvalidInput, Refused, refusal_of
from api.request import Info, RequestContext
from parking.idempotency import service
from parking.idempotency.service import KEPT, KEY_LENGTH_MAX, KEY_LENGTH_MIN, NamedAct
from parking.kit.canonical_json import canonical
from parking.kit.errors import ParkingError, UnavailableError
from parking.kit.joined import JoinedDatabase
from parking.staff import acting

KEY_NAME: Final = "idempotency_key"
_HOURS: Final = int(KEPT.total_seconds() // 3600)
_WORDS: Final = (
    f"Names this act, {KEY_LENGTH_MIN} to {KEY_LENGTH_MAX} printable ASCII characters; make a new "
    "one (a UUID) for each act that the person means, and keep it until there is an answer. The "
    "same request with the same key is done once and answered alike for "
    f"{_HOURS} hours; while the first is at work, `IDEMPOTENCY_KEY_IN_USE` says to ask again. "
    "With another input it is refused as `IDEMPOTENCY_KEY_REUSED`. A refusal gives the key back."
)
OptionalKey = Annotated[str | None, strawberry.argument(description=_WORDS)]
Key = Annotated[str, strawberry.argument(description=_WORDS)]

Actor = Callable[[RequestContext], Awaitable[UUID]]
Resolver = Callable[..., Awaitable[Any]]


async def by_driver(context: RequestContext) -> UUID:
    """Return the signed-in driver, whose keys they are."""
    return await context.driver_id()


async def by_staff(context: RequestContext) -> UUID:
    """Return the staff member, whose keys they are."""
    member = context.staff()
    return context.parking.vault.blind_index("staff", member.recorded_name)


def keyed(
    actor: Actor, *, at_once: bool = False, repeats: bool = False
) -> Callable[[Resolver], Resolver]:
    """Return a decorator: refusals are answers, and `idempotencyKey` names the act.

    A resolver that takes `idempotency_key` itself requires one and uses it for more.

    Args:
        actor: Whose key it is; another's same key is another act.
        at_once: The act is one transaction, and asks no provider: the key is written in it. Else
            the key is leased before the act and answered after it.
        repeats: The act says the same the second time and changes nothing: it is asked again, and
            its answer need not be kept.
    """

    def decorate(resolver: Resolver) -> Resolver:
        members = (get_type_hints(resolver)["return"], InvalidInput, Refused)
        answers = AnswerText(members, is_kept=not repeats)
        takes_key = KEY_NAME in inspect.signature(resolver).parameters
        act = _at_once if at_once else _leased

        @wraps(resolver)
        async def resolve(info: Info, idempotency_key: str | None = None, **given: object) -> Any:  # noqa: ANN401 - a member of the union
            call = partial(resolver, info, **given)
            try:
                if idempotency_key is None:
                    return await call()
                # Whoever is nobody learns that first.
                actor_id = await actor(info.context)
                service.require_key(idempotency_key)
                named = NamedAct(actor_id, info.field_name, idempotency_key, request_of(given))
                if takes_key:
                    call = partial(call, idempotency_key=idempotency_key)
                answered, answer = await act(info.context, named, call, answers)
                if answered is None:
                    return answer
                if repeats:
                    return await call()
                return await answers.read(answered, _finder(info.context, actor))
            except ParkingError as error:
                return refusal_of(error)

        # What `inspect` reads, and so the library.
        vars(resolve)["__signature__"] = _signature(resolver, takes_key=takes_key)
        vars(resolve)["answers"] = answers
        return resolve

    return decorate


def request_of(given: Mapping[str, object]) -> str:
    """Return what was asked for as one text, the same before and after an input grew."""
    said = {name: _said(written(value)) for name, value in given.items()}
    return canonical(said).decode()


def _said(value: object) -> object:
    # What is null was not said: a phone repeats after a release what it asked for before.
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {name: _said(each) for name, each in members.items() if each is not None}
    if isinstance(value, list):
        return [_said(each) for each in cast("list[object]", value)]
    return value


def _signature(resolver: Resolver, *, takes_key: bool) -> inspect.Signature:
    signature = inspect.signature(resolver)
    if takes_key:
        return signature
    key = inspect.Parameter(
        KEY_NAME, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=OptionalKey
    )
    return signature.replace(parameters=[*signature.parameters.values(), key])


async def _leased(
    context: RequestContext, named: NamedAct, call: Resolver, answers: AnswerText
) -> tuple[str | None, object]:
    database = context.parking.database
    # The key is not what staff did: the record belongs to the act itself.
    with acting.unrecorded():
        async with database.begin() as unit:
            answered = await service.reserve(unit, named)
    if answered is not None:
        return answered, None
    try:
        answer = await call()
    except ParkingError as error:
        # Anything else is a defect that may have done a part: the lease runs out by itself.
        answer = refusal_of(error)
        if not _counts(answer):
            with acting.unrecorded():
                async with database.begin() as unit:
                    await service.release(unit, named)
            return None, answer
    # It is done, whatever becomes of the note: asked again, the act's own uniqueness answers.
    with suppress(UnavailableError), acting.unrecorded():
        async with database.begin() as unit:
            await service.finish(unit, named, answers.write(answer))
    return None, answer


async def _at_once(
    context: RequestContext, named: NamedAct, call: Resolver, answers: AnswerText
) -> tuple[str | None, object]:
    parking = context.parking
    async with parking.database.begin() as unit:
        # The same request at the same moment waits here for the first one's commit.
        answered = await service.reserve(unit, named)
        if answered is None:
            joined = JoinedDatabase(parking.database, unit)
            context.parking = replace(parking, database=joined)
            try:
                answer = await call()
            except ParkingError as error:
                if joined.is_broken:
                    raise
                # Raised after the work: what the refusal counted must stay.
                answer = refusal_of(error)
            finally:
                context.parking = parking
            if isinstance(answer, InvalidInput | Refused) and not _counts(answer):
                await service.release(unit, named)
                acting.note_refusal(answer.code)
            else:
                await service.finish(unit, named, answers.write(answer))
            return None, answer
    return answered, None


def _finder(context: RequestContext, actor: Actor) -> FindNode:
    """Return what reads a thing of the answer anew; what staff are shown has no `node`."""

    async def find(global_id: str) -> Node | None:
        if actor is not by_driver:
            return None
        return await reads.node(context, await context.driver_id(), global_id)

    return find


def _counts(answer: object) -> bool:
    """Return whether the refusal itself was counted: another try of a code would be one more."""
    return isinstance(answer, Refused) and answer.attempts_left is not None
