"""How a mutation turns an expected refusal into a member of its union."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Annotated, Any, Final, ParamSpec, TypeVar, Union

import strawberry

from api.refusals import AnyRefusal, InvalidInput, Refused, refusal_of
from parking.kit.errors import ParkingError

Parameters = ParamSpec("Parameters")
Success = TypeVar("Success")

# `input` is the argument's name by convention, and a built-in's name in Python.
Given: Final = strawberry.argument(name="input")


def outcome_of(success: type, name: str) -> Any:  # noqa: ANN401 - a union made at run time
    """Return the union of what a mutation may answer, called `name` in the schema."""
    members: Any = Union[success, InvalidInput, Refused]  # noqa: UP007 - `success` is a variable
    return Annotated[members, strawberry.union(name)]


def refusable(
    resolver: Callable[Parameters, Awaitable[Success]],
) -> Callable[Parameters, Awaitable[Success | AnyRefusal]]:
    """Return the resolver with its expected refusals returned instead of raised."""

    @wraps(resolver)
    async def resolve(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Success | AnyRefusal:
        try:
            return await resolver(*args, **kwargs)
        except ParkingError as error:
            return refusal_of(error)

    return resolve


def raise_refusal(outcome: Success | ParkingError) -> Success:
    """Return the outcome of a use case, or raise the refusal that it returned.

    Called after the unit of work has committed: what the refusal counted must stay.
    """
    if isinstance(outcome, ParkingError):
        raise outcome
    return outcome
