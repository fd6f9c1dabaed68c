"""What a driver allows."""

from typing import Annotated

import strawberry

from api.acting import Given, outcome_of
from api.idempotency import by_driver, keyed
from api.request import Info
from api.types.consent import Consent
from parking.drivers.consent_models import ConsentKind
from parking.flows.accounts import consenting


@strawberry.type(description="The choice is kept, and so is when it was made.")
class ConsentSet:
    """The choice is kept."""

    consent: Consent = strawberry.field(description="As it stands now.")


@strawberry.input
class SetConsentInput:
    """Whether something is allowed."""

    kind: ConsentKind = strawberry.field(description="What it is about.")
    is_given: bool = strawberry.field(description="True to allow it, false to end that.")
    text_version: str = strawberry.field(
        description="`Consent.textVersion` of the words that were shown. Giving a consent to words "
        "that have changed since is refused; ending one never is."
    )


# Kept with its key: a `give` that comes late a second time must not undo a withdrawal.
@keyed(by_driver, at_once=True)
async def set_consent(info: Info, given: Annotated[SetConsentInput, Given]) -> ConsentSet:
    """Keep the choice."""
    driver_id = await info.context.driver_id()
    view = await consenting.set_consent(
        info.context.parking,
        driver_id,
        given.kind,
        is_given=given.is_given,
        text_version=given.text_version,
    )
    return ConsentSet(consent=Consent.of(view))


@strawberry.type
class ConsentMutations:
    """The mutations of this module."""

    set_consent = strawberry.mutation(
        set_consent,
        graphql_type=outcome_of(ConsentSet, "SetConsentResult"),
        description="Allow something, or end that; both count at once. Ending HABITS deletes what "
        "was learned. Repeating it changes nothing.",
    )
