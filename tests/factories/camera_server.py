"""A camera made of coloured pictures: MJPEG over HTTP, and RTSP with RTP/JPEG over TCP.

RTP/JPEG after RFC 2435, interleaved in the RTSP connection after RFC 2326, section 10.12.
"""

import asyncio
import struct
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import cv2
import numpy as np

from tests.factories.http_device import end_all

WIDTH, HEIGHT = 160, 96
PAUSE_S = 0.04
_CLOCK_HZ = 90_000
_PART_BYTES = 1200
_READ_BYTES = 65_536
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 26\r\na=control:track\r\n"
)


def coloured(shade: int) -> bytes:
    """Return a picture of one shade of grey, as JPEG."""
    pixels = np.full((HEIGHT, WIDTH, 3), shade, np.uint8)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def shade_of(image: bytes) -> int:
    """Return the shade of a picture."""
    pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return round(float(pixels.mean()))


@dataclass
class CameraServer:
    """Shows `shade` until it is told to stop.

    Attributes:
        is_stalled: Whether it stays connected and sends nothing.
        is_refusing: Whether it hangs up on whoever connects.
        clients: How many connected so far.
        lateness_s: By how much the stream's own times run behind, as if they were held up.
        maker: The command that makes the MJPEG, on its standard output; for each client anew.
        foreign: Of a stream that somebody else makes: its SDP, and where its RTP packets come.
    """

    shade: int = 40
    is_stalled: bool = False
    is_refusing: bool = False
    clients: int = 0
    lateness_s: float = 0.0
    foreign: "tuple[str, asyncio.Queue[bytes]] | None" = None
    maker: Sequence[str] = ()
    port: int = 0
    sequence: int = 0
    writers: dict[asyncio.StreamWriter, "asyncio.Task[None] | None"] = field(
        default_factory=dict[asyncio.StreamWriter, "asyncio.Task[None] | None"]
    )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers[writer] = asyncio.current_task()
        self.clients += 1
        try:
            if not self.is_refusing:
                await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.pop(writer)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _head(reader)
        if request[0].endswith("HTTP/1.1"):
            boundary = "ffmpeg" if self.maker else "b"
            kind = f"multipart/x-mixed-replace;boundary={boundary}"
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode())
            await (self._relay(writer) if self.maker else self._show(writer, self._part))
            return
        while request:
            self._answer(writer, request)
            if request[0].startswith("PLAY"):
                await (self._forward(writer) if self.foreign else self._show(writer, self._packets))
                return
            request = await _head(reader)

    async def _show(self, writer: asyncio.StreamWriter, form: Callable[[int], bytes]) -> None:
        number = 0
        while not writer.is_closing():
            if not self.is_stalled:
                writer.write(form(number))
                await writer.drain()
            number += 1
            await asyncio.sleep(PAUSE_S)

    async def _relay(self, writer: asyncio.StreamWriter) -> None:
        process = await asyncio.create_subprocess_exec(*self.maker, stdout=PIPE)
        assert process.stdout is not None
        try:
            while part := await process.stdout.read(_READ_BYTES):
                writer.write(part)
                await writer.drain()
        finally:
            process.kill()
            await process.communicate()

    async def _forward(self, writer: asyncio.StreamWriter) -> None:
        assert self.foreign is not None
        while not writer.is_closing():
            packet = await self.foreign[1].get()
            writer.write(struct.pack(">BBH", 0x24, 0, len(packet)) + packet)
            await writer.drain()

    def _answer(self, writer: asyncio.StreamWriter, request: list[str]) -> None:
        sequence = next(line for line in request if line.lower().startswith("cseq"))
        lines = ["RTSP/1.0 200 OK", sequence]
        body = ""
        if request[0].startswith("OPTIONS"):
            lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY")
        elif request[0].startswith("DESCRIBE"):
            body = self.foreign[0] if self.foreign else _SDP
            lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
        else:
            lines += ["Session: 1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"]
        writer.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _part(self, number: int) -> bytes:
        del number
        image = coloured(self.shade)
        head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n"
        return head.encode() + image + b"\r\n"

    def _packets(self, number: int) -> bytes:
        tables, scan = _split(coloured(self.shade))
        at = round((number * PAUSE_S - self.lateness_s) * _CLOCK_HZ) & 0xFFFFFFFF
        sent = b""
        for begin in range(0, len(scan), _PART_BYTES):
            part = scan[begin : begin + _PART_BYTES]
            is_last = begin + _PART_BYTES >= len(scan)
            self.sequence = (self.sequence + 1) & 0xFFFF
            rtp = struct.pack(">BBHII", 0x80, 26 | (is_last << 7), self.sequence, at, 1)
            # Type 1 is 4:2:0; Q 255 says that the tables come with the picture.
            jpeg = struct.pack(">IBBBB", begin, 1, 255, WIDTH // 8, HEIGHT // 8)
            if begin == 0:
                jpeg += struct.pack(">BBH", 0, 0, len(tables)) + tables
            packet = rtp + jpeg + part
            sent += struct.pack(">BBH", 0x24, 0, len(packet)) + packet
        return sent


def _split(image: bytes) -> tuple[bytes, bytes]:
    """Return a JPEG's quantisation tables and its scan, without the end marker."""
    at, tables = 2, b""
    while True:
        marker, length = struct.unpack(">HH", image[at : at + 4])
        if marker == 0xFFDB:
            content = image[at + 4 : at + 2 + length]
            tables += b"".join(content[i + 1 : i + 65] for i in range(0, len(content), 65))
        at += 2 + length
        if marker == 0xFFDA:
            return tables, image[at:-2]


async def _head(reader: asyncio.StreamReader) -> list[str]:
    text = await reader.readuntil(b"\r\n\r\n")
    return text.decode().split("\r\n")


@asynccontextmanager
async def open_camera(camera: CameraServer) -> AsyncGenerator[CameraServer]:
    """Let the camera listen inside the context; again at its port, when it has one."""
    server = await asyncio.start_server(camera.serve, "127.0.0.1", camera.port)
    camera.port = server.sockets[0].getsockname()[1]
    try:
        yield camera
    finally:
        server.close()
        await end_all(camera.writers)
