"""What can be wrong with a picture or with the installed models."""

from typing import ClassVar

from parking.kit.errors import InvalidInputError, ParkingError


class PictureError(InvalidInputError):
    """What was sent is not a picture that can be read."""

    code: ClassVar[str] = "PICTURE_INVALID"


class ModelError(ParkingError):
    """models.toml or a weights file is missing, damaged or does not fit this code."""

    code: ClassVar[str] = "MODEL_INVALID"
