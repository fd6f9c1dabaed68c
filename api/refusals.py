"""Which failures a client may expect, and what it is told of them."""

import re
from enum import StrEnum
from typing import Final

import strawberry

import parking.campaigns.errors
import parking.coupons.errors
import parking.disputes.errors
import parking.drivers.errors
import parking.idempotency.errors
import parking.invoices.errors
import parking.kit.token_errors
import parking.notices.errors
import parking.occupancy.errors
import parking.offers.errors
import parking.passes.errors
import parking.payments.errors
import parking.places.errors
import parking.plates.errors
import parking.reconciliation.errors
import parking.reviews.errors
import parking.sessions.errors
import parking.staff.errors
import parking.tariffs.errors
from parking.kit.database import ConflictError
from parking.kit.errors import InvalidInputError, ParkingError, UnavailableError

_EXPECTED_MODULES: Final = frozenset(
    module.__name__
    for module in (
        parking.campaigns.errors,
        parking.coupons.errors,
        parking.disputes.errors,
        parking.drivers.errors,
        parking.idempotency.errors,
        parking.invoices.errors,
        parking.kit.token_errors,
        parking.notices.errors,
        parking.occupancy.errors,
        parking.offers.errors,
        parking.passes.errors,
        parking.payments.errors,
        parking.places.errors,
        parking.plates.errors,
        parking.reconciliation.errors,
        parking.reviews.errors,
        parking.sessions.errors,
        parking.tariffs.errors,
        parking.staff.errors,
    )
)
_SNAKE: Final = re.compile(r"_([a-z])")


@strawberry.enum(
    description="What a confirmation code is asked for; it works for nothing else. More values "
    "may come."
)
class ConfirmationPurpose(StrEnum):
    """What a driver may confirm with a code."""

    PASSWORD_FREE = "password_free"  # noqa: S105 - a purpose, not a secret
    END_SIGN_INS = "end_sign_ins"
    EXPORT_ACCOUNT = "export_account"
    CHANGE_PHONE_NUMBER = "change_phone_number"
    DELETE_ACCOUNT = "delete_account"


@strawberry.interface(description="Why something that was asked for did not happen.")
class Refusal:
    """What every refusal says."""

    code: str = strawberry.field(
        description="Stable; switch on it. New codes may be added: treat an unknown one by "
        "showing the message."
    )
    message: str = strawberry.field(description="For developers, in English.")


@strawberry.type(description="A value cannot be used; nothing was done.")
class InvalidInput(Refusal):
    """A value cannot be used."""

    field: str = strawberry.field(description="The input's name, such as `phoneNumber`.")


@strawberry.type(description="The request was understood and refused; nothing was done.")
class Refused(Refusal):
    """Understood and refused."""

    retryable: bool = strawberry.field(
        description="Whether the same request may succeed later without any change."
    )
    attempts_left: int | None = strawberry.field(
        default=None, description="For a wrong code: how many more may be tried."
    )
    retry_after_s: int | None = strawberry.field(
        default=None, description="For too many requests: when to try again, in seconds."
    )
    confirmation_purpose: ConfirmationPurpose | None = strawberry.field(
        default=None,
        description="For `REAUTHENTICATION_REQUIRED`: what to ask a code for with "
        "`requestConfirmationCode`; after `confirmWithCode` the same request succeeds.",
    )


AnyRefusal = InvalidInput | Refused


def is_expected(error: BaseException) -> bool:
    """Return whether a client may be told of this failure in its own words."""
    if isinstance(error, (InvalidInputError, UnavailableError, ConflictError)):
        return True
    return isinstance(error, ParkingError) and type(error).__module__ in _EXPECTED_MODULES


def refusal_of(error: ParkingError) -> AnyRefusal:
    """Return the union member that tells of an expected failure.

    Raises:
        ParkingError: it is not one that clients may expect.
    """
    if not is_expected(error):
        raise error
    if isinstance(error, InvalidInputError):
        field = camel_case(error.field)
        return InvalidInput(code=error.code, message=public_message(error), field=field)
    return Refused(
        code=error.code,
        message=public_message(error),
        retryable=error.retryable,
        attempts_left=getattr(error, "attempts_left", None),
        retry_after_s=getattr(error, "retry_after_s", None),
        confirmation_purpose=_purpose(error),
    )


def public_message(error: ParkingError) -> str:
    """Return what a client may read; the words of an outage may name a host."""
    if isinstance(error, InvalidInputError):
        return f"{camel_case(error.field)}: expected {error.expected}"
    if isinstance(error, UnavailableError):
        return "something that is needed does not answer; try again"
    return str(error)


def _purpose(error: ParkingError) -> ConfirmationPurpose | None:
    purpose = getattr(error, "confirmation_purpose", None)
    return None if purpose is None else ConfirmationPurpose(purpose)


def camel_case(name: str) -> str:
    """Return the GraphQL name of an input."""
    return _SNAKE.sub(lambda match: match.group(1).upper(), name)
