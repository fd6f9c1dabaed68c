"""Password-free authorizations as their driver sees them."""

from datetime import datetime

import strawberry

from api.global_ids import Node, encode_id
from api.request import Info
from api.types.money import Money
from parking.flows.payments.mandates import MandateView
from parking.payments import mandate_terms, models

DEFAULT_LOCALE = "en"

strawberry.enum(
    models.MandateState,
    name="MandateState",
    description="Whether an authorization may be used. PENDING: the page of the provider, the "
    "terms, or both are still to be confirmed. Only ACTIVE ones are charged.",
)


@strawberry.type(description="What an authorization allows, in words that are to be shown as such.")
class MandateTerms:
    """The text of an authorization."""

    title: str
    sentences: list[str]
    locale: str
    digest: str = strawberry.field(
        description="Names exactly this text: send it back to say that it was shown and confirmed."
    )


@strawberry.type(description="A standing permission to charge without a password.")
class Mandate(Node):
    """A standing permission."""

    terms_shown: strawberry.Private[mandate_terms.Terms]
    provider: str
    state: models.MandateState
    position: int | None = strawberry.field(
        description="Its place in your order, from 0; the first that may be charged is. Null once "
        "it has ended."
    )
    payer_hint: str | None = strawberry.field(
        description="Which account it is, as the provider lets us show it."
    )
    confirmation_url: str | None = strawberry.field(
        description="The provider's page; null once it is confirmed there."
    )
    amount_max: Money | None = strawberry.field(
        description="The most that one charge may take; null for the provider's own limit."
    )
    day_max: Money | None = strawberry.field(
        description="The most that all charges of a day may take, by the clock of the place where "
        "you park; null for the provider's own limit."
    )
    plate: str | None = strawberry.field(
        description="The only plate that it pays for; null for all of yours."
    )
    created_at: datetime
    confirmed_at: datetime | None = strawberry.field(description="When you confirmed the terms.")
    signed_at: datetime | None = strawberry.field(
        description="When it was confirmed on the provider's page."
    )
    activated_at: datetime | None
    revoked_at: datetime | None

    @strawberry.field(description="What it allows. `locale` is one of `en`, `zh`, `de`.")
    def terms(self, info: Info, locale: str = DEFAULT_LOCALE) -> MandateTerms:
        """Return the text."""
        return terms_of(info, self.terms_shown, locale)

    @classmethod
    def of(cls, view: MandateView) -> "Mandate":
        """Return the authorization for its driver."""
        return cls(
            id=encode_id("Mandate", view.id),
            terms_shown=view.terms,
            provider=view.provider,
            state=view.state,
            position=view.position,
            payer_hint=view.payer_hint,
            confirmation_url=view.confirmation_url,
            amount_max=None if view.amount_max is None else Money.of(view.amount_max),
            day_max=None if view.day_max is None else Money.of(view.day_max),
            plate=view.plate,
            created_at=view.created_at,
            confirmed_at=view.confirmed_at,
            signed_at=view.signed_at,
            activated_at=view.activated_at,
            revoked_at=view.revoked_at,
        )


def terms_of(info: Info, terms: mandate_terms.Terms, locale: str) -> MandateTerms:
    """Return terms in a language.

    Raises:
        InvalidInputError: nobody translated them to `locale`.
    """
    return MandateTerms(
        title=terms.title(locale),
        sentences=list(terms.sentences(locale)),
        locale=locale,
        digest=terms.digest(info.context.parking.vault, locale),
    )
