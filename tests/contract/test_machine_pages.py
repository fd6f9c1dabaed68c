"""The pages about relays, streams and displays: their site files are read, their keys are known."""

import re
from pathlib import Path

import pytest

from gate_bridge.agent.displays.displays import open_display
from gate_bridge.agent.displays.template import FIELDS
from gate_bridge.agent.machines import reasons
from gate_bridge.agent.machines.modbus import ModbusRelay
from gate_bridge.agent.machines.relay import Relay
from gate_bridge.agent.machines.relays import RelaySettings, open_relay
from gate_bridge.agent.machines.shelly import ShellyRelay
from gate_bridge.agent.site.host import check_site
from gate_bridge.agent.site.settings import Site
from gate_bridge.agent.site.site_file import read_site
from gate_bridge.wire.actions import BarrierEventKind
from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError

PAGES = Path(__file__).parents[2] / "docs" / "gates"
_BLOCK = re.compile(r"```toml\n(.*?)```", re.DOTALL)
_SECRET = re.compile(r'_file = "([^"]+)"')
_LANE = """
[bridge]
url = "wss://bridge.example"
[[lane]]
id = "0196b7a0-0000-7000-8000-000000000003"
name = "garage"
loop = "contact"
token_file = "lane.token"
"""
_RELAY = (
    'barrier = { driver = "shelly", url = "http://10.0.0.9" }\ncontacts = { loop = "barrier:0" }\n'
)


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def site_of(name: str, head: str, folder: Path) -> Site:
    [block] = _BLOCK.findall(page(name))
    text = head + block
    for secret in _SECRET.findall(text):
        (folder / secret).write_text("secret-of-the-example\n", encoding="utf-8")
        (folder / secret).chmod(0o600)
    file = folder / "site.toml"
    file.write_text(text, encoding="utf-8")
    site = read_site(file)
    check_site(site, SystemClock())
    return site


@pytest.mark.parametrize(("name", "kind"), [("shelly", ShellyRelay), ("modbus", ModbusRelay)])
def test_a_relay_s_page_has_a_site_file(name: str, kind: type[Relay], tmp_path: Path) -> None:
    [lane] = site_of(name, _LANE, tmp_path).lanes
    barrier = lane.barrier
    settings = RelaySettings(driver=barrier.driver, url=barrier.url, options=barrier.options)
    assert isinstance(open_relay(settings), kind)
    assert lane.wiring.inputs


@pytest.mark.parametrize(
    ("name", "driver", "url"),
    [
        ("shelly", "shelly", "http://10.0.0.9"),
        ("modbus", "modbus", "tcp://10.0.0.9"),
        ("barriers", "hikvision", "http://10.0.0.9"),
        ("barriers", "dahua", "http://10.0.0.9"),
    ],
)
def test_a_relay_s_page_names_every_option(name: str, driver: str, url: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        open_relay(RelaySettings(driver=driver, url=url, options={"": 0}))
    for option in str(raised.value).rpartition("one of ")[2].split(", "):
        assert f"`{option}`" in page(name) or f"{option} = " in page(name), option


def test_the_page_about_streams_has_a_site_file(tmp_path: Path) -> None:
    site = site_of("rtsp", _LANE + _RELAY, tmp_path)
    assert [device.driver for device in site.devices] == ["frames"]
    assert site.devices[0].stream == "rtsp://viewer:secret-of-the-example@10.0.0.41/stream1"


def test_the_page_about_displays_has_a_site_file(tmp_path: Path) -> None:
    [lane] = site_of("display", _LANE + _RELAY, tmp_path).lanes
    assert lane.display is not None
    assert lane.display.idle == ("Welcome",)
    open_display(lane.display)
    for field in FIELDS:
        assert field in page("display") or field.startswith("line_"), field


def test_the_page_about_barriers_names_every_event_and_what_it_says_of_guesses() -> None:
    text = page("barriers")
    assert [kind for kind in BarrierEventKind if f"`{kind}`" not in text] == []
    assert reasons.UNORDERED_REASON in text
    assert reasons.INFERRED_ARM_UP.startswith("inferred")
    assert reasons.INFERRED_PULSED.startswith("inferred")


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('hand_operator = ""', "hand_operator"),
        (f'hand_operator = "{"x" * 65}"', "hand_operator"),
        (f'hand_reason = "{"x" * 201}"', "hand_reason"),
        ("blind_s_max = 0.1", "blind_s_max"),
    ],
)
def test_a_lane_s_timing_that_cannot_be_is_named(line: str, field: str, tmp_path: Path) -> None:
    head = f"{_LANE}{_RELAY}[lane.timing]\n{line}\n"
    with pytest.raises(InvalidInputError, match=field):
        site_of("rtsp", head, tmp_path)
