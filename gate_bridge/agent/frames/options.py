"""How a camera's stream is read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """Times and sizes of one stream.

    Attributes:
        open_timeout_s: To connect, and to learn what the stream is.
        read_timeout_s: To the next piece of it.
        gap_s_max: After a longer pause between two pictures the stream is opened anew: what waits
            in between, at the camera or in this machine, is old.
        age_s_max: No picture is sent that is older.
        next_wait_s: How long a caller waits for a fresh picture.
        width_max: Wider pictures are made smaller.
        image_bytes_max: Size of a picture as it is sent.
        reconnect_s_max: Longest pause before the stream is opened again.
    """

    open_timeout_s: float = 3.0
    read_timeout_s: float = 3.0
    gap_s_max: float = 2.0
    age_s_max: float = 1.0
    next_wait_s: float = 2.0
    width_max: int = 1920
    image_bytes_max: int = 1024 * 1024
    reconnect_s_max: float = 10.0
