"""What a reader says of a plate; the same form from our recogniser and from a camera."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

TEXT_LENGTH_MAX = 16
ALTERNATIVES_MAX = 10

Probability = Annotated[float, Field(ge=0, le=1)]
PlateText = Annotated[str, Field(min_length=1, max_length=TEXT_LENGTH_MAX)]


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Alternative(_Read):
    """Another text that the pictures allow."""

    text: PlateText
    probability: Probability


class CharacterRead(_Read):
    """One character and how sure the reader is of it."""

    char: Annotated[str, Field(min_length=1, max_length=1)]
    probability: Probability


class PlateRead(_Read):
    """A plate's text with its confidence.

    Attributes:
        text: Normalised: capitals, digits, province characters; no separators.
        confidence: That the whole text is right.
        alternatives: Best first; the text itself is not among them.
        characters: One for each character of the text; empty when the source does not say.
        region: A guess from format and colour, such as `cn` or `eu`.
        frames: How many pictures the read rests on.
    """

    text: PlateText
    confidence: Probability
    alternatives: Annotated[tuple[Alternative, ...], Field(max_length=ALTERNATIVES_MAX)] = ()
    characters: tuple[CharacterRead, ...] = ()
    region: str | None = None
    frames: Annotated[int, Field(ge=1)] = 1
