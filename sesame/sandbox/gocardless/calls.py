"""The bodies that GoCardless takes, inside their envelopes."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

METADATA_KEYS_MAX = 3
Metadata = dict[
    Annotated[str, Field(max_length=50)],
    Annotated[str, Field(max_length=500)],
]
AmountMinor = Annotated[int, Field(gt=0, lt=2**53)]
Text = Annotated[str, Field(max_length=500)]
Id = Annotated[str, Field(min_length=2, max_length=64)]


class Call(BaseModel):
    """What the merchant asks for."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _WithMetadata(Call):
    metadata: Metadata = Field(default_factory=dict[str, str])

    @model_validator(mode="after")
    def _few_keys(self) -> "_WithMetadata":
        if len(self.metadata) > METADATA_KEYS_MAX:
            raise ValueError(f"metadata: at most {METADATA_KEYS_MAX} keys")
        return self


class MandateRequestCall(_WithMetadata):
    """What the payer is asked for."""

    currency: Literal["EUR"] = "EUR"
    scheme: Literal["sepa_core"] = "sepa_core"
    description: Text = ""


class BillingRequestCall(_WithMetadata):
    """`POST /billing_requests`."""

    mandate_request: MandateRequestCall


class BillingRequestLinks(Call):
    """Which request a page is for."""

    billing_request: Id


class FlowCall(Call):
    """`POST /billing_request_flows`."""

    redirect_uri: Annotated[str, Field(max_length=2000, pattern=r"^https?://")]
    exit_uri: Annotated[str, Field(max_length=2000, pattern=r"^https?://")]
    links: BillingRequestLinks


class MandateLinks(Call):
    """Which mandate a payment is taken under."""

    mandate: Id


class PaymentCall(_WithMetadata):
    """`POST /payments`."""

    amount: AmountMinor
    currency: Literal["EUR"]
    description: Text = ""
    links: MandateLinks


class PaymentLinks(Call):
    """Which payment a refund is of."""

    payment: Id


class RefundCall(_WithMetadata):
    """`POST /refunds`."""

    amount: AmountMinor
    total_amount_confirmation: AmountMinor
    links: PaymentLinks


class EmptyCall(Call):
    """A call whose path says everything."""
