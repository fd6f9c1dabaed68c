"""What is kept under a key outlives a release: the same request is still answered."""

from collections.abc import Callable
from dataclasses import field, make_dataclass
from typing import Any

from api.answers import AnswerText
from api.idempotency import request_of

Old = make_dataclass("Done", [("amount_minor", int), ("note", str | None)])
New: Callable[..., Any] = make_dataclass(
    "Done",
    [
        ("amount_minor", int),
        ("note", str | None),
        ("provider", str | None),
        ("is_final", bool, field(default=True)),
        ("tags", list[str], field(default_factory=lambda: ["old"])),
    ],
)


async def test_an_answer_of_before_is_read_by_a_type_that_grew() -> None:
    text = AnswerText((Old,)).write(Old(500, "thanks"))
    found = await AnswerText((New,)).read(text)  # pyright: ignore[reportArgumentType]
    assert found == New(500, "thanks", None, True, ["old"])


async def test_an_answer_of_after_is_read_by_a_process_of_before() -> None:
    text = AnswerText((New,)).write(New(500, None, "stripe"))  # pyright: ignore[reportArgumentType]
    assert await AnswerText((Old,)).read(text) == Old(500, None)


def test_a_request_is_the_same_after_its_input_grew() -> None:
    before = request_of({"given": Old(500, None)})
    assert before == '{"given":{"amount_minor":500}}'
    assert request_of({"given": New(500, None, None, None, None)}) == before
    assert request_of({"given": New(500, None, "stripe", None, None)}) != before


def test_a_null_in_a_list_was_said() -> None:
    assert request_of({"given": [None, {"a": None, "b": [1]}]}) == '{"given":[null,{"b":[1]}]}'
