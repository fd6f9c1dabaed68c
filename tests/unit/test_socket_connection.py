"""What stands in for a queue and an event of asyncio on thousands of sockets."""

import asyncio

from sesame.socket_connection import Gate, Messages


async def test_messages_come_in_order_and_leave_nothing() -> None:
    messages = Messages()
    assert messages.empty()
    for number in range(3):
        messages.put_nowait({"type": "websocket.receive", "text": str(number)})
    assert not messages.empty()
    assert [(await messages.get())["text"] for _ in range(3)] == ["0", "1", "2"]
    assert messages.empty()
    assert messages._messages is None  # pyright: ignore[reportPrivateUsage]


async def test_a_reader_that_waits_is_given_what_comes_and_one_that_gave_up_takes_nothing() -> None:
    messages = Messages()
    gave_up = asyncio.create_task(messages.get())
    await asyncio.sleep(0)
    gave_up.cancel()
    assert isinstance((await asyncio.gather(gave_up, return_exceptions=True))[0], BaseException)
    waiting = asyncio.create_task(messages.get())
    await asyncio.sleep(0)
    messages.put_nowait("first")
    messages.put_nowait("second")
    assert await waiting == "first"
    assert await messages.get() == "second"


async def test_a_gate_holds_all_who_come_until_it_is_set() -> None:
    gate = Gate()
    assert await gate.wait()
    gate.clear()
    waiting = [asyncio.create_task(gate.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(each.done() for each in waiting)
    gate.set()
    assert await asyncio.gather(*waiting) == [True, True]
    assert await gate.wait()
