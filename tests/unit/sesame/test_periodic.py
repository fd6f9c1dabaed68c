"""What a worker repeats, and that a failure does not end it."""

import asyncio
from typing import cast

import pytest

from parking.flows.context import ParkingContext
from sesame import periodic
from sesame.periodic import PeriodicTask, periodic_tasks


def test_nothing_that_must_be_repeated_is_missing() -> None:
    # Nothing is called, so nothing is used of the context.
    tasks = periodic_tasks(cast("ParkingContext", object()))
    assert [(task.name, task.every_s) for task in tasks] == [
        ("partitions", 86400.0),
        ("payment sweep", 1.0),
        ("refund sweep", 1.0),
        ("dispute sweep", 5.0),
        ("misread search", 5.0),
        ("pass renewals", 2.0),
        ("offers", 2.0),
        ("collection", 30.0),
        ("partner sweep", 30.0),
        ("mandate sweep", 5.0),
        ("stay sweep", 2.0),
        ("offline sweep", 30.0),
        ("fapiao sweep", 5.0),
        ("campaign runs", 2.0),
        ("campaign sends", 2.0),
        ("campaign events", 5.0),
        ("coupons of stays", 5.0),
        ("coupons of bills", 5.0),
        ("coupons over", 60.0),
        ("parked events", 15.0),
        ("open differences", 60.0),
    ]


async def test_failed_and_endless_calls_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periodic, "RETRY_S_MAX", 0.0)
    monkeypatch.setattr(periodic, "CALL_TIMEOUT_S", 0.01)
    third = asyncio.Event()
    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("on purpose")
        if calls == 2:
            await asyncio.Event().wait()
        third.set()

    task = asyncio.create_task(PeriodicTask("once a day", 86400.0, call).run())
    async with asyncio.timeout(5):
        await third.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert calls == 3
