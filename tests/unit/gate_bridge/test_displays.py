"""What drivers read: forms that no text breaks out of, and the newest text first."""

import asyncio
from collections.abc import Callable
from typing import Self
from xml.etree.ElementTree import fromstring as parsed_xml

import orjson
import pytest

from gate_bridge.agent.displays import board as boards
from gate_bridge.agent.displays.board import DisplayBoard
from gate_bridge.agent.displays.display import DisplayError, Shown
from gate_bridge.agent.displays.displays import DisplaySettings, open_display
from gate_bridge.agent.displays.template import BodyForm, DisplayTemplate
from gate_bridge.wire.actions import BarrierEventKind
from parking.kit.errors import InvalidInputError

TEXT = Shown(("沪A12345", 'Pay "12.00" & <go>'), "https://x.example/?a=1&b={qr}", 60.0)
TRIES_MAX = 200


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(TRIES_MAX):
        if is_so():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never happened")


def filled(template: str, form: BodyForm, encoding: str = "utf-8") -> str:
    return DisplayTemplate(template, form, "body", encoding).filled(TEXT)


def test_json_is_filled_in() -> None:
    body = filled('{"a": "{line_1}", "b": "{line_2}", "c": "{qr}", "s": {for_s}}', BodyForm.JSON)
    assert orjson.loads(body) == {
        "a": "沪A12345",
        "b": 'Pay "12.00" & <go>',
        "c": "https://x.example/?a=1&b={qr}",
        "s": 60,
    }


def test_xml_is_filled_in() -> None:
    root = parsed_xml(filled('<t a="{line_2}"><q>{qr}</q><e>{line_6}</e></t>', BodyForm.XML))  # noqa: S314
    assert root.get("a") == 'Pay "12.00" & <go>'
    assert root.findtext("q") == "https://x.example/?a=1&b={qr}"
    assert root.findtext("e") == ""


def test_a_form_is_filled_in_with_the_display_s_characters() -> None:
    assert filled("a={line_1}", BodyForm.FORM) == "a=%E6%B2%AAA12345"
    assert filled("a={line_1}&ms={for_ms}", BodyForm.FORM, "gb18030") == "a=%BB%A6A12345&ms=60000"


def test_plain_text_has_its_lines() -> None:
    assert filled("{lines}", BodyForm.TEXT) == '沪A12345\nPay "12.00" & <go>'


@pytest.mark.parametrize(
    ("options", "url", "field"),
    [
        ({"body": "{plate}"}, "http://10.0.0.3", "display.options.body"),
        ({"path": "/{plate}"}, "http://10.0.0.3", "display.options.path"),
        ({"body": "x" * 4001}, "http://10.0.0.3", "display.options.body"),
        ({"form": "yaml"}, "http://10.0.0.3", "display.options.form"),
        ({"method": "DELETE"}, "http://10.0.0.3", "display.options.method"),
        ({"encoding": "ebcdic"}, "http://10.0.0.3", "display.options.encoding"),
        ({"bodi": ""}, "http://10.0.0.3", "display.options.bodi"),
        ({}, "10.0.0.3", "display.url"),
    ],
)
def test_a_mistake_in_the_site_file_is_named(
    options: dict[str, object], url: str, field: str
) -> None:
    with pytest.raises(InvalidInputError) as raised:
        open_display(DisplaySettings(driver="http", url=url, options=options))
    assert raised.value.field == field


def test_a_driver_that_there_is_none_of_is_named() -> None:
    with pytest.raises(InvalidInputError, match=r"display\.driver"):
        open_display(DisplaySettings(driver="smoke", url="http://10.0.0.3"))


class Steady:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Panel:
    """A display that remembers, and may fail."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, ...]] = []
        self.failures = 0
        self.is_slow = asyncio.Event()
        self.is_slow.set()

    async def show(self, shown: Shown) -> None:
        await self.is_slow.wait()
        if self.failures:
            self.failures -= 1
            raise DisplayError("display: away")
        self.shown.append(shown.lines)


class Lane:
    def __init__(self) -> None:
        self.panel, self.steady = Panel(), Steady()
        self.board = DisplayBoard(self.panel, Shown(("Welcome",)), self.steady)
        self.running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.running = asyncio.create_task(self.board.run())
        await until(lambda: self.panel.shown == [("Welcome",)])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.running is not None
        self.running.cancel()
        await asyncio.wait([self.running])


async def test_a_text_stands_for_its_time() -> None:
    async with Lane() as lane:
        lane.board.show(Shown(("Pay 12.00",), "", 60.0))
        await until(lambda: lane.panel.shown[1:] == [("Pay 12.00",)])
        lane.board.show(Shown(("Drive on",), "", 0.01))
        lane.steady.now_s += 1.0
        await until(lambda: lane.panel.shown[2:] == [("Drive on",), ("Welcome",)])


async def test_only_the_newest_text_is_sent_to_a_slow_display() -> None:
    async with Lane() as lane:
        lane.panel.is_slow.clear()
        lane.board.show(Shown(("first",), "", 60.0))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for text in ("second", "third", "fourth"):
            lane.board.show(Shown((text,), "", 60.0))
        lane.panel.is_slow.set()
        await until(lambda: lane.panel.shown[1:] == [("first",), ("fourth",)])


async def test_a_display_that_fails_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "PAUSE_S", 0.01)
    async with Lane() as lane:
        lane.panel.failures = 2
        lane.board.show(Shown(("Pay 12.00",), "", 60.0))
        await until(lambda: lane.panel.shown[1:] == [("Pay 12.00",)])
        # And is given up in the end; the next text reaches it.
        lane.panel.failures = boards.TRIES_MAX
        lane.board.show(Shown(("lost",), "", 60.0))
        await until(lambda: lane.panel.failures == 0)
        lane.board.show(Shown(("Drive on",), "", 60.0))
        await until(lambda: lane.panel.shown[2:] == [("Drive on",)])


async def test_the_agent_s_reports_are_shown() -> None:
    async with Lane() as lane:
        told = {"lines": ["沪A12345", "Please pay 12.00"], "qr": "https://x", "ttl_ms": 60_000}
        lane.board.hear({"event": "display", "presentation_id": None, **told})
        await until(lambda: lane.panel.shown[1:] == [("沪A12345", "Please pay 12.00")])
        lane.board.hear({"event": "barrier", "kind": BarrierEventKind.OBSTRUCTED.value})
        await until(
            lambda: lane.panel.shown[2:] == [("The barrier is blocked", "Please keep clear")]
        )
        lane.board.hear({"event": "barrier", "kind": "opened"})
        lane.board.hear({"event": "cleared"})
        await asyncio.sleep(0.01)
        assert len(lane.panel.shown) == 3
