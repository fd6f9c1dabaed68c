"""Password-free authorization: begun, confirmed, limited, ordered, ended."""

from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

import strawberry

from api.acting import Given, outcome_of
from api.confirmed import confirmed_driver
from api.global_ids import decode_id
from api.idempotency import by_driver, keyed
from api.request import Info
from api.types.mandate import DEFAULT_LOCALE, Mandate, MandateTerms, terms_of
from api.types.money import MoneyInput, checked_money
from parking.drivers.purposes import CodePurpose
from parking.flows.payments import mandates
from parking.kit.errors import InvalidInputError
from parking.payments.mandate_rows import MANDATES_PER_DRIVER_MAX
from parking.payments.mandate_terms import DIGEST_LENGTH_MAX, LOCALES, Limits

URL_LENGTH_MAX = 500


@strawberry.type(description="The authorization waits for both confirmations.")
class PasswordFreeStarted:
    """The authorization has begun."""

    mandate: Mandate


@strawberry.type(description="Your confirmation of the terms is stored.")
class PasswordFreeConfirmed:
    """The terms are confirmed."""

    mandate: Mandate


@strawberry.type(description="The limits, changed or waiting for you to confirm them.")
class PasswordFreeLimits:
    """The limits of an authorization."""

    mandate: Mandate
    to_confirm: MandateTerms | None = strawberry.field(
        description="Not null: nothing was changed yet, because more could be charged than you "
        "confirmed. Show this text and send the same input with its digest."
    )


@strawberry.type(description="Your authorizations in their new order.")
class PasswordFreeOrdered:
    """The order is stored."""

    mandates: list[Mandate]


@strawberry.type(description="The authorization has ended: nothing is charged under it any more.")
class PasswordFreeRevoked:
    """The authorization has ended."""

    mandate: Mandate


@strawberry.input
class AuthorizePasswordFreeInput:
    """What to authorize."""

    provider: str | None = strawberry.field(
        default=None, description="The provider's name; null for the usual one."
    )
    amount_max: MoneyInput | None = strawberry.field(
        default=None, description="The most that one charge may take."
    )
    day_max: MoneyInput | None = strawberry.field(
        default=None, description="The most that all charges of one day may take."
    )
    plate_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The only plate that it is to pay for; some providers need one. It ends with "
        "the plate's binding.",
    )
    payer_id: str | None = strawberry.field(
        default=None, description="Who you are to the provider, where it needs that."
    )
    return_url: str | None = strawberry.field(
        default=None, description="Where the provider sends the driver back to, https only."
    )


@strawberry.input
class ConfirmPasswordFreeInput:
    """What was shown and confirmed."""

    mandate_id: strawberry.ID
    terms_digest: str = strawberry.field(description="Of the text that you were shown.")


@strawberry.input
class ChangePasswordFreeLimitsInput:
    """The new limits; null is none of your own."""

    mandate_id: strawberry.ID
    amount_max: MoneyInput | None = None
    day_max: MoneyInput | None = None
    terms_digest: str | None = strawberry.field(
        default=None, description="Of the text that `toConfirm` gave, once it was shown."
    )
    locale: str = strawberry.field(default=DEFAULT_LOCALE, description="Of `toConfirm`.")


@strawberry.input
class OrderPasswordFreeInput:
    """The order to charge in."""

    mandate_ids: list[strawberry.ID] = strawberry.field(
        description="All that are not revoked, each once."
    )


@strawberry.input
class RevokePasswordFreeInput:
    """What to revoke."""

    mandate_id: strawberry.ID


@keyed(by_driver)
async def authorize_password_free(
    info: Info, given: Annotated[AuthorizePasswordFreeInput, Given]
) -> PasswordFreeStarted:
    """Begin an authorization."""
    driver_id = await info.context.driver_id()
    plate_id = given.plate_id
    wish = mandates.Wish(
        provider=given.provider,
        return_url=_checked_url(given.return_url),
        limits=_limits(given.amount_max, given.day_max),
        binding_id=None if plate_id is None else decode_id(plate_id, kind="Plate", field="plateId"),
        payer_id=given.payer_id,
    )
    view = await mandates.authorize(info.context.parking, driver_id, wish)
    return PasswordFreeStarted(mandate=Mandate.of(view))


@keyed(by_driver, at_once=True)
async def confirm_password_free(
    info: Info, given: Annotated[ConfirmPasswordFreeInput, Given]
) -> PasswordFreeConfirmed:
    """Confirm the terms of an authorization."""
    driver_id = (await confirmed_driver(info, CodePurpose.PASSWORD_FREE)).driver_id
    view = await mandates.confirm(
        info.context.parking,
        driver_id,
        _mandate_id(given.mandate_id),
        _checked_digest(given.terms_digest),
    )
    return PasswordFreeConfirmed(mandate=Mandate.of(view))


@keyed(by_driver, at_once=True)
async def change_password_free_limits(
    info: Info, given: Annotated[ChangePasswordFreeLimitsInput, Given]
) -> PasswordFreeLimits:
    """Change what an authorization may take."""
    driver_id = await info.context.driver_id()
    if given.locale not in LOCALES:
        raise InvalidInputError("locale", f"one of {', '.join(LOCALES)}")
    digest = None if given.terms_digest is None else _checked_digest(given.terms_digest)
    if digest is not None:
        # Whoever sends one allows more than was allowed before.
        await confirmed_driver(info, CodePurpose.PASSWORD_FREE)
    view, terms = await mandates.change_limits(
        info.context.parking,
        driver_id,
        _mandate_id(given.mandate_id),
        _limits(given.amount_max, given.day_max),
        digest,
    )
    return PasswordFreeLimits(
        mandate=Mandate.of(view),
        to_confirm=None if terms is None else terms_of(info, terms, given.locale),
    )


@keyed(by_driver, at_once=True)
async def order_password_free(
    info: Info, given: Annotated[OrderPasswordFreeInput, Given]
) -> PasswordFreeOrdered:
    """Store the driver's order."""
    driver_id = await info.context.driver_id()
    if len(given.mandate_ids) > MANDATES_PER_DRIVER_MAX:
        raise InvalidInputError("mandateIds", f"at most {MANDATES_PER_DRIVER_MAX}")
    order = [decode_id(one, kind="Mandate", field="mandateIds") for one in given.mandate_ids]
    views = await mandates.reorder(info.context.parking, driver_id, order)
    return PasswordFreeOrdered(mandates=[Mandate.of(view) for view in views])


@keyed(by_driver)
async def revoke_password_free(
    info: Info, given: Annotated[RevokePasswordFreeInput, Given]
) -> PasswordFreeRevoked:
    """End an authorization."""
    driver_id = await info.context.driver_id()
    view = await mandates.revoke(info.context.parking, driver_id, _mandate_id(given.mandate_id))
    return PasswordFreeRevoked(mandate=Mandate.of(view))


@strawberry.type
class MandateMutations:
    """The mutations of this module."""

    authorize_password_free = strawberry.mutation(
        authorize_password_free,
        graphql_type=outcome_of(PasswordFreeStarted, "AuthorizePasswordFreeResult"),
        description="Begin a password-free authorization. Show its `terms` and confirm them with "
        "`confirmPasswordFree`, and let the driver confirm on the provider's page at its "
        "`confirmationUrl`, in either order; it is charged only once it is ACTIVE.",
    )
    confirm_password_free = strawberry.mutation(
        confirm_password_free,
        graphql_type=outcome_of(PasswordFreeConfirmed, "ConfirmPasswordFreeResult"),
        description="Confirm the terms that the driver was shown, named by their digest. "
        "`MANDATE_TERMS_CHANGED` says that others stand by now. Needs a sign-in or a confirmation "
        "code (PASSWORD_FREE) of the last five minutes. Repeating it changes nothing.",
    )
    change_password_free_limits = strawberry.mutation(
        change_password_free_limits,
        graphql_type=outcome_of(PasswordFreeLimits, "ChangePasswordFreeLimitsResult"),
        description="Change the limits. Less counts at once; more only with the digest of the new "
        "terms, which the first call returns as `toConfirm`, and with a sign-in or a confirmation "
        "code (PASSWORD_FREE) of the last five minutes. Repeating it changes nothing.",
    )
    order_password_free = strawberry.mutation(
        order_password_free,
        graphql_type=outcome_of(PasswordFreeOrdered, "OrderPasswordFreeResult"),
        description="Say in which order your authorizations are charged. The next one is tried "
        "only where the one before was refused for good. Repeating it changes nothing.",
    )
    revoke_password_free = strawberry.mutation(
        revoke_password_free,
        graphql_type=outcome_of(PasswordFreeRevoked, "RevokePasswordFreeResult"),
        description="End a password-free authorization at any time, effective at once. Repeating "
        "it changes nothing.",
    )


def _mandate_id(text: strawberry.ID) -> UUID:
    return decode_id(text, kind="Mandate", field="mandateId")


def _limits(amount_max: MoneyInput | None, day_max: MoneyInput | None) -> Limits:
    return Limits.of(
        checked_money(amount_max, field="amountMax"), checked_money(day_max, field="dayMax")
    )


def _checked_digest(digest: str) -> str:
    if not digest or len(digest) > DIGEST_LENGTH_MAX:
        raise InvalidInputError("termsDigest", "the digest of the terms that were shown")
    return digest


def _checked_url(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    # A browser leaves control characters out, reads a backslash as a slash, and hides a user.
    is_plain = url.isascii() and url.isprintable() and not {" ", "\\"} & set(url)
    is_usable = is_plain and len(url) <= URL_LENGTH_MAX and parts.username is None
    if not is_usable or parts.scheme != "https" or not parts.hostname:
        raise InvalidInputError(
            "returnUrl", f"an https address of at most {URL_LENGTH_MAX} letters"
        )
    return url
