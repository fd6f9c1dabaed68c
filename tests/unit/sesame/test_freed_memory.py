"""When memory is given back after sockets have left."""

from sesame.freed_memory import LEFT_MIN, FreedMemory, give_back


async def looks(*counts: int) -> list[int]:
    """Return at which looks it is given back."""
    given: list[int] = []
    number = now = 0

    async def give() -> None:
        given.append(number)

    memory = FreedMemory(lambda: now, give)
    for number, now in enumerate(counts):  # noqa: B007 - both are looked at by what is given
        await memory.look()
    return given


async def test_it_is_given_back_once_after_most_have_left() -> None:
    assert await looks(0, 5000, 5000, 2000, 0, 0, 0) == [5]


async def test_few_that_leave_are_no_reason_and_most_that_stay_neither() -> None:
    assert await looks(LEFT_MIN - 1, 0, 0) == []
    assert await looks(5000, 3000, 3000) == []
    assert await looks(5000, 2500, 2500, 2500) == [2]


async def test_giving_back_works_wherever_it_runs() -> None:
    await give_back()
