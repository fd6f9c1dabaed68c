"""What fields of the gate wire look like: strict, closed, and one way to write each value."""

import unicodedata
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from gate_bridge.wire.limits import (
    CERTIFICATE_CHARACTERS_MAX,
    CERTIFICATE_REQUEST_CHARACTERS_MAX,
    CLOCK_OFFSET_MS_MAX,
    DISPLAY_LINE_CHARACTERS_MAX,
    DISPLAY_QR_CHARACTERS_MAX,
    SEQ_MAX,
    TTL_MS_MAX,
    TTL_MS_MIN,
)


def _iso_text(value: object) -> object:
    # Pydantic also reads numbers as seconds since 1970; the wire has one way to write a time.
    if isinstance(value, datetime) or (isinstance(value, str) and "T" in value):
        return value
    raise ValueError("expected a time such as 2026-03-01T08:00:00Z")


# A box without a battery for its clock wakes up in 1970.
_TIMES_FROM = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES_UNTIL = datetime(3000, 1, 1, tzinfo=UTC)


def _in_utc(value: datetime) -> datetime:
    # The database knows other years and zones than we do: one lane's time must not keep it from
    # taking in those of others, or us from reading them.
    if not _TIMES_FROM <= value < _TIMES_UNTIL:
        raise ValueError("expected a time from 1970 to 2999")
    return value.astimezone(UTC)


_CONTROL_CATEGORIES = frozenset({"Cc", "Zl", "Zp"})


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in _CONTROL_CATEGORIES


def _one_line(value: str) -> str:
    # PostgreSQL keeps no U+0000, and no display, log or report needs any of the others.
    if any(map(_is_control, value)):
        raise ValueError("expected text without control characters and line breaks")
    return value


def without_controls(text: str) -> str:
    """Return `text` with a space for every character that no text of the wire may have."""
    return "".join(" " if _is_control(character) else character for character in text)


Time = Annotated[
    AwareDatetime, BeforeValidator(_iso_text), AfterValidator(_in_utc), Field(strict=False)
]
Sequence = Annotated[int, Field(ge=1, le=SEQ_MAX)]
SequenceOrZero = Annotated[int, Field(ge=0, le=SEQ_MAX)]
Epoch = Annotated[int, Field(ge=1, le=SEQ_MAX)]
ClockOffsetMs = Annotated[int, Field(ge=-CLOCK_OFFSET_MS_MAX, le=CLOCK_OFFSET_MS_MAX)]
TtlMs = Annotated[int, Field(ge=TTL_MS_MIN, le=TTL_MS_MAX)]
Text = Annotated[str, AfterValidator(_one_line)]
ShortText = Annotated[Text, Field(min_length=1, max_length=64)]
Probability = Annotated[float, Field(ge=0, le=1)]
PlateText = Annotated[Text, Field(min_length=1, max_length=16)]
Reason = Annotated[Text, Field(min_length=1, max_length=200)]
CertificateRequest = Annotated[
    Text, Field(min_length=1, max_length=CERTIFICATE_REQUEST_CHARACTERS_MAX)
]
CertificateText = Annotated[Text, Field(min_length=1, max_length=CERTIFICATE_CHARACTERS_MAX)]
DisplayLine = Annotated[Text, Field(max_length=DISPLAY_LINE_CHARACTERS_MAX)]
QrText = Annotated[Text, Field(min_length=1, max_length=DISPLAY_QR_CHARACTERS_MAX)]


class WireModel(BaseModel):
    """Strict and closed: a misspelt field is an error that names it, never silence."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def to_json(self) -> bytes:
        """Return the payload in JSON."""
        return self.model_dump_json().encode()


class Empty(WireModel):
    """A result without content."""
