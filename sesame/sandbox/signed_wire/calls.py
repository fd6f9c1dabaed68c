"""The bodies that both wires' calls are made of (part 3 of their pages)."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from parking.kit.outbound import is_secure_url


def _payer_url(value: str) -> str:
    if is_secure_url(value):
        return value
    raise ValueError("expected an https URL, or http on loopback")


Number = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,32}$")]
AmountMinor = Annotated[int, Field(gt=0, lt=2**53)]
Reference = Annotated[str, Field(min_length=1, max_length=200)]
ShownText = Annotated[str, Field(min_length=1, max_length=120)]
PayerUrl = Annotated[str, Field(max_length=2000), AfterValidator(_payer_url)]


class Call(BaseModel):
    """What the merchant asks for."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class EmptyCall(Call):
    """A call whose path says everything."""


class AgreementCall(Call):
    """To start an agreement."""

    number: Number
    description: ShownText
    return_url: PayerUrl
