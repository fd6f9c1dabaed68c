"""Frames on their way to a recogniser and reads on their way back, over Valkey streams.

Nothing here is the only copy: the bridge stores every frame in PostgreSQL before it acknowledges
it, and submits it again from memory when no answer comes. After a killed bridge the car still
stands there, and its agent sends fresh pictures.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from parking.plates.reads import PlateRead

FRAMES_STREAM = "sesame:{frames}"
RECOGNIZER_GROUP = "recognizers"
FRAMES_LENGTH_MAX = 256
REPLIES_LENGTH_MAX = 1024
REPLIES_EXPIRY_S = 300
VOTE_EXPIRY_S = 120
FORMAT_VERSION = b"2"


class FrameFormatError(ValueError):
    """A stream entry is not of this format."""


class FrameRequest(BaseModel):
    """One picture to read."""

    model_config = ConfigDict(frozen=True)

    operator_id: UUID
    lane_id: UUID
    presentation_id: UUID
    frame_id: UUID
    captured_at: datetime
    reply_to: Annotated[str, Field(pattern=r"^sesame:\{reads:[0-9A-Za-z._-]{1,64}\}$")]
    image: bytes

    def to_fields(self) -> dict[str, bytes | str]:
        """Return the fields of the stream entry."""
        return {
            "v": FORMAT_VERSION,
            "operator_id": str(self.operator_id),
            "lane_id": str(self.lane_id),
            "presentation_id": str(self.presentation_id),
            "frame_id": str(self.frame_id),
            "captured_at": self.captured_at.isoformat(),
            "reply_to": self.reply_to,
            "image": self.image,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> "FrameRequest":
        """Read a stream entry.

        Raises:
            FrameFormatError: another version, or a field is missing or malformed.
        """
        if fields.get(b"v") != FORMAT_VERSION:
            raise FrameFormatError(f"v: expected {FORMAT_VERSION.decode()}")
        try:
            values = {name: fields[name.encode()] for name in cls.model_fields}
            text = {name: values[name].decode() for name in values if name != "image"}
            return cls.model_validate({**text, "image": values["image"]})
        except (KeyError, ValueError) as error:
            raise FrameFormatError(f"frame request: {error}") from error


class FrameError(BaseModel):
    """Why a picture could not be read."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str


class FrameReply(BaseModel):
    """What became of one picture, and the vote over all of its presentation so far.

    Attributes:
        vote: The best text so far; `None` while no picture showed a plate.
        agreed: Whether the vote is sure enough to decide on; more pictures are then pointless.
        error: Set when this picture could not be read; the vote stands.
        timings_ms: By step: `decode`, `detect`, `read`.
        model: Names the weights, for the record of the observation.
    """

    model_config = ConfigDict(frozen=True)

    lane_id: UUID
    presentation_id: UUID
    frame_id: UUID
    vote: PlateRead | None
    agreed: bool
    error: FrameError | None
    timings_ms: dict[str, float]
    model: str

    def to_fields(self) -> dict[str, bytes | str]:
        """Return the fields of the stream entry."""
        return {"v": FORMAT_VERSION, "body": self.model_dump_json()}

    @classmethod
    def from_fields(cls, fields: Mapping[bytes, bytes]) -> "FrameReply":
        """Read a stream entry.

        Raises:
            FrameFormatError: another version, or the body is malformed.
        """
        if fields.get(b"v") != FORMAT_VERSION:
            raise FrameFormatError(f"v: expected {FORMAT_VERSION.decode()}")
        try:
            return cls.model_validate_json(fields[b"body"])
        except (KeyError, ValueError) as error:
            raise FrameFormatError(f"frame reply: {error}") from error


def reads_stream(bridge: str) -> str:
    """Return the key of the stream on which a bridge process gets its reads."""
    return f"sesame:{{reads:{bridge}}}"


def vote_key(operator_id: UUID, lane_id: UUID, presentation_id: UUID) -> str:
    """Return the key of the hash that holds a presentation's reads, one field a frame.

    An agent chooses its presentation ids: with the lane in the key, what it sends under the id of
    another lane's car cannot come into that car's vote.
    """
    return f"sesame:{{vote:{operator_id}:{lane_id}:{presentation_id}}}"
