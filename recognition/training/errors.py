"""What can go wrong while rendering and training."""

from typing import ClassVar

from parking.kit.errors import ParkingError


class FontMissingError(ParkingError):
    """The fonts that the renderer draws with are not installed."""

    code: ClassVar[str] = "FONT_MISSING"

    def __init__(self, packages: str) -> None:
        super().__init__(f"install the fonts first: apt-get install {packages}")
        self.packages = packages


class TrainingDataError(ParkingError):
    """A manifest of real pictures cannot train: a file or column is missing, or nothing is left."""

    code: ClassVar[str] = "TRAINING_DATA"
