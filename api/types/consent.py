"""Consents as their driver sees them."""

from datetime import datetime

import strawberry

from parking.drivers.consent_models import ConsentKind
from parking.drivers.consents import ConsentView

strawberry.enum(
    ConsentKind,
    name="ConsentKind",
    description="HABITS: to learn where and when you park. MARKETING: to be sent offers. More "
    "values may come.",
)


@strawberry.type(description="Something that you may allow, and end allowing, at any time.")
class Consent:
    """One kind of consent."""

    kind: ConsentKind = strawberry.field(description="What it is about.")
    is_given: bool = strawberry.field(description="Whether it holds now.")
    text: str = strawberry.field(description="What is agreed to, in the language of messages.")
    text_version: str = strawberry.field(
        description="Of `text`; goes with `setConsent`, so that nobody agrees to other words than "
        "were shown."
    )
    agreed_version: str | None = strawberry.field(
        description="Of the words that you agreed to last; null for never."
    )
    given_at: datetime | None = strawberry.field(
        description="When you agreed last, in UTC; null for never."
    )
    withdrawn_at: datetime | None = strawberry.field(
        description="When you ended it, in UTC; null while it holds, or for never given."
    )

    @classmethod
    def of(cls, view: ConsentView) -> "Consent":
        """Return a consent for its driver."""
        return cls(
            kind=view.kind,
            is_given=view.is_given,
            text=view.text,
            text_version=view.text_version,
            agreed_version=view.agreed_version,
            given_at=view.given_at,
            withdrawn_at=view.withdrawn_at,
        )
