"""Names for the arrays that travel through recognition."""

from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

# Height x width x 3, blue-green-red, as OpenCV decodes.
Picture: TypeAlias = npt.NDArray[np.uint8]
# Height x width.
GrayPicture: TypeAlias = npt.NDArray[np.uint8]
# 4 x 2, x and y in pixels: top left, top right, bottom right, bottom left as one reads the plate.
Corners: TypeAlias = npt.NDArray[np.float32]
Floats: TypeAlias = npt.NDArray[np.float32]


def as_picture(array: object) -> Picture:
    """Name the type of an array that OpenCV returned (its stubs promise any number type)."""
    return cast("Picture", array)


def as_floats(array: object) -> Floats:
    """Name the type of a floating-point array that OpenCV or ONNX Runtime returned."""
    return cast("Floats", array)


def extent(corners: Corners) -> tuple[float, float]:
    """Return width and height of the upright box around the corners."""
    size = corners.max(axis=0) - corners.min(axis=0)
    return float(size[0]), float(size[1])


def corners_of_box(left: float, top: float, width: float, height: float) -> Corners:
    """Return the corners of an upright box."""
    right, bottom = left + width, top + height
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float32)
