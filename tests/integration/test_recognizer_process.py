"""`sesame recognizer` as a process of its own, with the real weights."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from parking.plates.frame_stream import (
    FRAMES_STREAM,
    RECOGNIZER_GROUP,
    FrameReply,
    FrameRequest,
    reads_stream,
)
from recognition.frame_queue import connect

PICTURES: Final = Path(__file__).parents[2] / "sesame" / "demo" / "pictures"
REPLY_TO: Final = reads_stream("test")
PROGRAM: Final = "from sesame.commands.recognition import recognizer_command; recognizer_command()"
START_WITHIN_S: Final = 30.0


@contextmanager
def recognizer(url: str) -> Generator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "REDIS_URL": url}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def submit(client: Any, frame: int, file: str) -> None:  # noqa: ANN401 - redis-py's client
    request = FrameRequest(
        operator_id=UUID(int=9),
        lane_id=UUID(int=8),
        presentation_id=UUID(int=1),
        frame_id=UUID(int=frame),
        captured_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
        reply_to=REPLY_TO,
        image=(PICTURES / file).read_bytes(),
    )
    await client.xadd(FRAMES_STREAM, request.to_fields())


async def replies(client: Any, count: int) -> list[FrameReply]:  # noqa: ANN401
    found: list[FrameReply] = []
    last: bytes | str = "0"
    async with asyncio.timeout(START_WITHIN_S):
        while len(found) < count:
            answer = await client.xread({REPLY_TO: last}, block=500)
            for entry_id, fields in answer[0][1] if answer else ():
                found.append(FrameReply.from_fields(fields))
                last = entry_id
    return found


async def test_a_killed_recognizer_loses_no_frame_and_a_stopped_one_ends_well(
    valkey_url: str,
) -> None:
    client: Any = connect(valkey_url)
    await submit(client, 1, "munich-1.jpg")
    with recognizer(valkey_url) as first:
        (read,) = await replies(client, 1)
        first.send_signal(signal.SIGSTOP)
        await submit(client, 2, "munich-2.jpg")
        first.kill()
        first.wait()
    assert read.vote is not None
    assert (read.vote.text, read.agreed) == ("MKL4731", False)
    with recognizer(valkey_url) as second:
        _, agreed = await replies(client, 2)
        second.send_signal(signal.SIGTERM)
        assert second.wait(START_WITHIN_S) == 0
    assert agreed.vote is not None
    assert (agreed.vote.text, agreed.vote.frames, agreed.agreed) == ("MKL4731", 2, True)
    assert set(agreed.timings_ms) == {"decode", "detect", "read"}
    assert await client.xlen(FRAMES_STREAM) == 0
    assert (await client.xpending(FRAMES_STREAM, RECOGNIZER_GROUP))["pending"] == 0
    await client.aclose()
