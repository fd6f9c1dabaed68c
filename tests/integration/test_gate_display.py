"""A display over HTTP."""

import orjson
import pytest

from gate_bridge.agent.displays.display import DisplayError, Shown
from gate_bridge.agent.displays.http_display import http_display
from gate_bridge.agent.machines.device_http import DeviceAddress
from gate_bridge.drivers.device_options import DeviceOptions
from tests.factories.http_device import HttpDevice, open_device

SHOWN = Shown(("沪A12345", "12.00 CNY"), "https://parking.example/pay/x1", 60.0)


async def test_a_display_behind_digest_gets_the_plate_the_amount_and_the_code() -> None:
    device = HttpDevice(lambda _: (200, b""), "admin", "pass word", "SHA-256")
    async with open_device(device):
        address = DeviceAddress(url=device.url, username="admin", password="pass word")
        body = '{"text": ["{line_1}", "{line_2}"], "code": "{qr}", "seconds": {for_s}}'
        options: dict[str, object] = {"path": "/screen/1", "body": body}
        await http_display(address, DeviceOptions(options), "options").show(SHOWN)
        [request] = device.accepted
    assert (request.method, request.path) == ("POST", "/screen/1")
    assert orjson.loads(request.body) == {
        "text": ["沪A12345", "12.00 CNY"],
        "code": "https://parking.example/pay/x1",
        "seconds": 60,
    }


async def test_a_display_may_take_its_text_in_the_address() -> None:
    device = HttpDevice(lambda _: (200, b""))
    async with open_device(device):
        options: dict[str, object] = {
            "method": "GET",
            "form": "text",
            "path": "/led?t={line_1}%20{line_2}",
            "encoding": "gb18030",
        }
        display = http_display(DeviceAddress(url=device.url), DeviceOptions(options), "options")
        await display.show(SHOWN)
        [request] = device.requests
    assert (request.method, request.path) == ("GET", "/led?t=%BB%A6A12345%2012.00%20CNY")
    assert request.body == b""


@pytest.mark.parametrize("status", [404, 500])
async def test_a_display_that_refuses_says_so(status: int) -> None:
    device = HttpDevice(lambda _: (status, b""))
    async with open_device(device):
        display = http_display(DeviceAddress(url=device.url), DeviceOptions({}), "options")
        with pytest.raises(DisplayError, match=str(status)):
            await display.show(SHOWN)
