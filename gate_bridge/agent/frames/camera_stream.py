"""One camera's stream: a thread of its own keeps the newest picture, and nothing but it."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import structlog

from gate_bridge.agent.backoff import full_jitter_s
from gate_bridge.agent.errors import PictureError, StreamSilentError
from gate_bridge.agent.frames.lag import StreamLag
from gate_bridge.agent.frames.options import StreamOptions
from gate_bridge.agent.pictures import Picture, PictureSource
from gate_bridge.agent.server_time import steady_seconds

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PIXELS_MAX = 50_000_000
# A still picture is decoded whole: more of them a second only warm the machine.
STILLS_PER_S_MAX = 10.0
# Longer than cameras take from one whole picture to the next.
UNDECODED_S_MAX = 15.0
_POLL_S = 0.02
_STILL_CODECS = frozenset({"mjpeg"})
_PROTOCOLS = "rtsp,rtsps,rtp,tcp,udp,tls,http,https,httpproxy"
_RTSP_SCHEMES = frozenset({"rtsp", "rtsps"})


@dataclass(frozen=True, slots=True)
class _Newest:
    number: int
    received_s: float
    frame: Any = field(repr=False)


class CameraStream:
    """Reads one stream from `start` to `close`, and opens it again whenever it breaks.

    Args:
        name: Of the camera, for logs and pictures; its address may hold a password.
        url: `rtsp://`, `rtsps://`, `http://` or `https://`; over HTTP it is MJPEG.
    """

    def __init__(
        self,
        name: str,
        url: str,
        options: StreamOptions | None = None,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        self._name = name
        self._url = url
        self._options = options or StreamOptions()
        self._steady = steady
        self._newest: _Newest | None = None
        self._number = 0
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._run, name=f"camera-{self._name}", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Stop reading; takes as long as one read may."""
        self._ending.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def open(self) -> PictureSource:
        """Return the pictures from now on; closing them does not end the stream."""
        return _StreamPictures(self)

    @property
    def heard_s(self) -> float | None:
        """Return when the newest picture came, by the steady clock; None for never."""
        newest = self._newest
        return None if newest is None else newest.received_s

    async def fresh(self, after: int) -> tuple[int, Picture]:
        """Return the newest picture and its number, which is higher than `after`.

        Raises:
            StreamSilentError: none came in time.
            PictureError: it cannot be sent.
        """
        deadline_s = self._steady() + self._options.next_wait_s
        while True:
            newest, now_s = self._newest, self._steady()
            is_new = newest is not None and newest.number > after
            if newest and is_new and now_s - newest.received_s <= self._options.age_s_max:
                return newest.number, await asyncio.to_thread(self._picture, newest)
            if now_s >= deadline_s:
                raise StreamSilentError(f"{self._name}: no fresh picture")
            await asyncio.sleep(_POLL_S)

    def _picture(self, newest: _Newest) -> Picture:
        from gate_bridge.agent.frames.jpeg import to_jpeg  # noqa: PLC0415 - as for `av` below

        image = to_jpeg(newest.frame, self._options)
        return Picture(f"{self._name}#{newest.number}", "image/jpeg", image)

    def _run(self) -> None:
        tries = 0
        while not self._ending.is_set():
            before = self._number
            try:
                self._read()
            except Exception as error:  # noqa: BLE001 - a camera may send anything; we try again
                # Not the error's own text: it may name the address with its password.
                _log.warning("stream_broken", camera=self._name, error=type(error).__name__)
            tries = 0 if self._number > before else tries + 1
            self._ending.wait(full_jitter_s(tries, self._options.reconnect_s_max))

    def _read(self) -> None:
        # PyAV takes a while to load, and only lanes with such a camera need it.
        import av  # noqa: PLC0415

        is_rtsp = urlsplit(self._url).scheme in _RTSP_SCHEMES
        options = {
            "protocol_whitelist": _PROTOCOLS,
            "fflags": "nobuffer",
            # How many pictures come in a second does not matter: it is not waited for.
            "fpsprobesize": "0",
        }
        with av.open(
            self._url,
            # Without a format, what a camera answers could be a playlist of anything.
            format="rtsp" if is_rtsp else "mpjpeg",
            options=options | ({"rtsp_transport": "tcp"} if is_rtsp else {}),
            timeout=(self._options.open_timeout_s, self._options.read_timeout_s),
        ) as container:
            stream = container.streams.video[0]
            lag = StreamLag(self._steady)
            is_still = stream.codec_context.name in _STILL_CODECS
            heard_s = decoded_s = self._steady()
            before = self._number
            for packet in container.demux(stream):
                now_s = self._steady()
                is_late = now_s - heard_s > self._options.gap_s_max
                if self._ending.is_set() or is_late or now_s - decoded_s > UNDECODED_S_MAX:
                    return
                heard_s = now_s
                lag_s = lag.of(_seconds(packet) if is_rtsp else None)
                if is_still and now_s - decoded_s < 1 / STILLS_PER_S_MAX and self._number > before:
                    continue
                for frame in packet.decode():
                    decoded_s = now_s
                    self._keep(frame, now_s - lag_s)

    def _keep(self, frame: Any, seen_s: float) -> None:  # noqa: ANN401 - PyAV is not loaded here
        if frame.width * frame.height > PIXELS_MAX:
            raise PictureError(f"{self._name}: at most {PIXELS_MAX} pixels")
        self._number += 1
        self._newest = _Newest(self._number, seen_s, frame)


class _StreamPictures:
    """A car's view of a stream."""

    def __init__(self, stream: CameraStream) -> None:
        self._stream = stream
        self._number = 0

    async def next(self) -> Picture | None:
        """Return the newest picture, once."""
        self._number, picture = await self._stream.fresh(self._number)
        return picture

    async def close(self) -> None:
        """Let go of nothing: the stream goes on."""


def _seconds(packet: Any) -> float | None:  # noqa: ANN401 - PyAV is not loaded here
    if packet.pts is None or packet.time_base is None:
        return None
    return float(packet.pts * packet.time_base)
