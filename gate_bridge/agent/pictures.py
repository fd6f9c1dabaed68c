"""Where a simulated camera's pictures come from."""

import asyncio
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Literal, Protocol

from gate_bridge.agent.errors import PictureError

ContentType = Literal["image/jpeg", "image/png", "image/webp"]

FRAMES_PER_S = 5.0
PHOTOS_MAX = 64
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture as it will be sent."""

    name: str
    content_type: ContentType
    image: bytes


@dataclass(frozen=True, slots=True)
class CarPictures:
    """What the camera sees of one car: photos in turn, or a part of a video.

    Attributes:
        photos: Files; they are repeated for as long as pictures are wanted.
        video: A file of which the seconds from `from_s` to `to_s` belong to this car.
        to_s: End in the video; None is its end.
    """

    photos: tuple[Path, ...] = ()
    video: Path | None = None
    from_s: float = 0.0
    to_s: float | None = None

    def check(self) -> None:
        """Refuse files that cannot be read.

        Raises:
            PictureError: naming the file, or how many are allowed.
        """
        if len(self.photos) > PHOTOS_MAX:
            raise PictureError(f"car: expected at most {PHOTOS_MAX} pictures")
        for path in (*self.photos, *([self.video] if self.video else [])):
            if not path.is_file():
                raise PictureError(f"{path}: expected a readable file")


class PictureSource(Protocol):
    """An open camera."""

    async def next(self) -> Picture | None:
        """Return the next picture; None: there are no more."""
        ...

    async def close(self) -> None:
        """Let go of files."""
        ...


class PhotoSource:
    """Gives the photos of one car in turn, again and again."""

    def __init__(self, photos: tuple[Path, ...]) -> None:
        self._paths = cycle(photos) if photos else None

    async def next(self) -> Picture | None:
        """Return the next photo."""
        if self._paths is None:
            return None
        path = next(self._paths)
        try:
            image = await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise PictureError(f"{path}: {error.strerror}") from error
        return Picture(path.name, content_type_of(image), image)

    async def close(self) -> None:
        """Let go of nothing: files are not kept open."""


def content_type_of(image: bytes) -> ContentType:
    """Return the type by the first bytes; whatever is none of the known is left to the bridge."""
    if image.startswith(b"\x89PNG"):
        return "image/png"
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "image/webp"
    return "image/jpeg"


def photos_in(folder: Path) -> list[Path]:
    """Return the pictures of a folder, by name.

    Raises:
        PictureError: there is none.
    """
    if not folder.is_dir():
        raise PictureError(f"{folder}: expected a folder")
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES)
    if not photos:
        raise PictureError(f"{folder}: expected at least one picture (jpg, png, webp)")
    return photos
