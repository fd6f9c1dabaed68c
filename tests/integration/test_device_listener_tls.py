"""Devices over HTTPS, and devices that show a certificate."""

from pathlib import Path

import pytest

from gate_bridge.agent.site.listener_server import ServedAt, serve_devices
from parking.kit.errors import InvalidInputError
from sesame.http_connection import BoundedConnection
from tests.factories.device_site import device, needs_curl, open_device, site
from tests.factories.tls_files import Authority

pytestmark = needs_curl
DIGEST = ("--digest", "-u", "user:s3cret")
FAILED = 0  # What curl reports where there was no answer.


async def test_digest_over_https(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("listener")
    async with site(device(), certificate=certificate, key=key) as at:
        assert await at.curl("/devices/cam", *DIGEST, body=b"1") == FAILED
        trusts = ("--cacert", str(authority.file))
        assert await at.curl("/devices/cam", *trusts, *DIGEST, body=b"2") == 200
        assert at.intake.bodies == [b"2"]


async def test_a_listener_may_ask_every_device_for_a_certificate(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path, "authority"), Authority(tmp_path, "stranger")
    certificate, key = authority.issue("listener")
    shown = [other.issue(name) for other, name in ((authority, "cam"), (stranger, "fake"))]
    bare = device(username="", password="")
    async with site(bare, certificate=certificate, key=key, client_ca=authority.file) as at:
        trusts = ("--cacert", str(authority.file))
        statuses = [
            await at.curl("/devices/cam", *trusts, "--cert", str(one), "--key", str(its), body=b"1")
            for one, its in shown
        ]
        assert statuses == [200, FAILED]
        assert await at.curl("/devices/cam", *trusts, body=b"1") == FAILED
        assert len(at.intake.kept) == 1


async def test_a_devices_certificate_speaks_for_no_other_device(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("listener")
    shown = {name: authority.issue(name) for name in ("cam", "exit-cam")}
    devices = [
        device("cam", username="", password=""),
        device("exit-cam", username="", password=""),
        device("with-token", username="", password="", token="t0ken"),
    ]

    async with site(*devices, certificate=certificate, key=key, client_ca=authority.file) as at:

        async def post(name: str, path: str) -> int:
            one, its = shown[name]
            trusts = ("--cacert", str(authority.file), "--cert", str(one), "--key", str(its))
            return await at.curl(path, *trusts, body=f"{name} {path}".encode())

        assert await post("cam", "/devices/cam") == 200
        assert await post("cam", "/devices/exit-cam") == 404
        assert await post("exit-cam", "/devices/exit-cam/x") == 200
        # What proves itself otherwise may show any certificate of the site.
        assert await post("cam", "/devices/with-token?token=t0ken") == 200
        assert at.intake.bodies == [
            b"cam /devices/cam",
            b"exit-cam /devices/exit-cam/x",
            b"cam /devices/with-token?token=t0ken",
        ]


@pytest.mark.parametrize(
    ("at", "field"),
    [
        (ServedAt(certificate=Path("a")), "listener.key"),
        (ServedAt(key=Path("a")), "listener.key"),
        (ServedAt(client_ca=Path("a")), "listener.client_ca"),
        (ServedAt(port=0, certificate=Path("no"), key=Path("no")), "listener.certificate"),
        (ServedAt(port=70_000), "listener.port"),
        (ServedAt(host="256.0.0.1", port=0), "listener.host"),
    ],
)
async def test_what_cannot_be_served(at: ServedAt, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        async with serve_devices(_nothing, at, BoundedConnection):
            pass
    assert refused.value.field == field


async def test_a_port_that_is_taken() -> None:
    async with site(open_device()) as first:
        with pytest.raises(InvalidInputError, match=r"listener\.host"):
            async with serve_devices(_nothing, ServedAt(port=first.port), BoundedConnection):
                pass
        # The first goes on.
        assert await first.curl("/devices/cam", body=b"1") == 200


async def _nothing(*_: object) -> None:
    return None
