"""Decoded pictures as JPEG of a bounded size."""

from fractions import Fraction
from typing import SupportsBytes, cast

from av import CodecContext, VideoFrame

from gate_bridge.agent.errors import PictureError
from gate_bridge.agent.frames.options import StreamOptions

# Scales of the quantiser: from hardly any loss to what a reader of plates can just bear.
_SCALES = (3, 6, 12, 24)


def to_jpeg(frame: VideoFrame, options: StreamOptions) -> bytes:
    """Return the picture in JPEG, no wider and no larger than allowed.

    Raises:
        PictureError: it stays too large.
    """
    width = min(frame.width, options.width_max)
    # Even numbers: colours are kept for two by two points.
    height = max(2, round(frame.height * width / frame.width / 2) * 2)
    fitting = frame.reformat(width=max(2, width // 2 * 2), height=height, format="yuvj420p")
    for scale in _SCALES:
        image = _encoded(fitting, scale)
        if len(image) <= options.image_bytes_max:
            return image
    raise PictureError(f"picture: at most {options.image_bytes_max} bytes")


def _encoded(frame: VideoFrame, scale: int) -> bytes:
    encoder = CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = frame.width, frame.height
    encoder.pix_fmt = "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.options = {"qmin": str(scale), "qmax": str(scale)}
    still = VideoFrame.from_ndarray(frame.to_ndarray(), format="yuvj420p")
    still.pts = 0
    # PyAV says of its packets only that they have some content.
    packets = cast("list[SupportsBytes]", [*encoder.encode(still), *encoder.encode(None)])  # pyright: ignore[reportUnknownMemberType]
    return b"".join(bytes(packet) for packet in packets)
