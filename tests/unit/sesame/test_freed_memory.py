"""When memory is given back after sockets have left."""

from sesame.freed_memory import LEFT_MIN, FreedMemory, give_back


def looks(*counts: int) -> list[int]:
    """Return at which looks it is given back."""
    coming = iter(counts)
    given: list[int] = []
    now = 0
    memory = FreedMemory(lambda: now, lambda: given.append(number))
    for number, now in enumerate(coming):  # noqa: B007 - both are looked at by the lambdas
        memory.look()
    return given


def test_it_is_given_back_once_after_most_have_left() -> None:
    assert looks(0, 5000, 5000, 2000, 0, 0, 0) == [5]


def test_few_that_leave_are_no_reason_and_most_that_stay_neither() -> None:
    assert looks(LEFT_MIN - 1, 0, 0) == []
    assert looks(5000, 3000, 3000) == []
    assert looks(5000, 2500, 2500, 2500) == [2]


def test_giving_back_works_wherever_it_runs() -> None:
    give_back()
