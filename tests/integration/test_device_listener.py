"""The listener of a site over real sockets, with curl as the device that nobody here wrote."""

import asyncio
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from gate_bridge.agent.errors import JournalFullError
from gate_bridge.agent.site import refusal_log
from gate_bridge.agent.site.device_access import DeviceLimits, ListenedDevice
from gate_bridge.agent.site.listener import ListenerTimes
from gate_bridge.drivers.digest import DigestAlgorithm
from parking.kit.errors import InvalidInputError
from sesame import http_connection
from tests.factories.device_site import (
    NOW,
    SayingDriver,
    Site,
    device,
    needs_curl,
    open_device,
    site,
)

pytestmark = needs_curl
DIGEST = ("--digest", "-u", "user:s3cret")
XML = b"<EventNotificationAlert><eventType>VMD</eventType></EventNotificationAlert>"


def kept(at: Site) -> list[tuple[str, str, bytes]]:
    return [(name, message.target, message.body) for name, message in at.intake.kept]


@pytest.mark.parametrize("algorithm", DigestAlgorithm)
async def test_curl_proves_its_password(algorithm: DigestAlgorithm) -> None:
    async with site(device(algorithm=algorithm)) as at:
        assert await at.curl("/devices/cam/ISAPI/x?a=b", *DIGEST, body=XML) == 200
        assert kept(at) == [("cam", "/ISAPI/x", XML)]
        ((_, message),) = at.intake.kept
        assert message.received_at == NOW
        assert "authorization" not in message.headers
        assert message.headers["content-type"] == "application/x-www-form-urlencoded"
        assert len(at.intake.acted) == 1


async def test_who_does_not_prove_it_is_asked_to() -> None:
    proofs = [
        (),
        ("--digest", "-u", "user:bad"),
        ("--digest", "-u", "other:s3cret"),
        ("-u", "user:s3cret"),
        ("-H", "Authorization: Digest username=user"),
        ("-H", "Authorization: Digest " + 'x="' * 500),
        ("-H", "Authorization: Token s3cret"),
    ]
    async with site(device()) as at:
        for proof in proofs:
            status, answer = await at.curl_reply("/devices/cam", "-i", *proof, body=XML)
            assert status == 401
            assert b'www-authenticate: Digest realm="sesame", qop="auth", algorithm=MD5' in answer
        assert at.intake.kept == []


async def test_a_proof_is_not_taken_twice() -> None:
    async with site(device()) as at, httpx.AsyncClient() as client:
        url = f"{at.url}/devices/cam"
        first = await client.post(url, content=XML, auth=httpx.DigestAuth("user", "s3cret"))
        assert first.status_code == 200
        proof = first.request.headers["authorization"]
        again = await client.post(url, content=XML, headers={"authorization": proof})
        assert again.status_code == 401
        assert again.headers["www-authenticate"].endswith("stale=true")
        elsewhere = await client.post(url + "/x", content=XML, headers={"authorization": proof})
        assert elsewhere.headers["www-authenticate"].endswith("stale=false")
        assert at.intake.bodies == [XML]


async def test_devices_do_not_speak_for_each_other() -> None:
    other = device("other", username="other", password="0ther")
    async with site(device(), other) as at:
        assert await at.curl("/devices/other", *DIGEST, body=XML) == 401
        assert await at.curl("/devices/other", "--digest", "-u", "other:0ther", body=XML) == 200
        assert [name for name, _ in at.intake.kept] == ["other"]


async def test_what_is_not_there_is_answered_in_one_way() -> None:
    far = device("far", allow_from=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))
    async with site(device(), far) as at, httpx.AsyncClient() as client:
        answers: list[tuple[int, bytes, list[str]]] = []
        for path in ("/devices/none", "/devices/", "/devices", "/", "/x", "/devices/far/x"):
            answer = await client.post(at.url + path, content=XML)
            answers.append((answer.status_code, answer.content, sorted(answer.headers)))
        assert answers == [(404, b"", ["content-length", "date"])] * 6
        for method in ("GET", "DELETE", "HEAD"):
            refused = await client.request(method, at.url + "/devices/cam")
            assert (refused.status_code, refused.headers["allow"]) == (405, "POST, PUT")
        assert at.intake.kept == []


async def test_health_needs_no_proof() -> None:
    async with site(device()) as at:
        assert await at.curl_reply("/healthz") == (200, b'{"status":"ok"}')


async def test_a_token() -> None:
    tries = [
        ("/devices/cam", "Authorization: Token t0ken", 200),
        ("/devices/cam", "authorization: bearer t0ken", 200),
        ("/devices/cam?a=1&token=t0ken", "X: y", 200),
        ("/devices/cam", "Authorization: Token t0ken2", 401),
        ("/devices/cam?token=", "X: y", 401),
        ("/devices/cam?" + "a=b&" * 20 + "token=t0ken", "X: y", 401),
        ("/devices/cam", "X: y", 401),
    ]
    async with site(device(username="", password="", token="t0ken")) as at:
        for path, header, status in tries:
            assert await at.curl(path, "-H", header, body=XML) == status
        assert at.intake.bodies == [XML] * 3
        assert "t0ken" not in repr(at.intake.kept)


async def test_a_device_without_proof_posts_from_its_network_only() -> None:
    async with site(open_device()) as at:
        # What a header claims of the address counts for nothing.
        assert await at.curl("/devices/cam", "-H", "X-Forwarded-For: 8.8.8.8", body=XML) == 200


@pytest.mark.parametrize(
    "wrong",
    [
        device(username="", password=""),
        device(password=""),
        device(username=""),
        device("a/b"),
        device(""),
    ],
)
async def test_devices_that_cannot_be(wrong: ListenedDevice) -> None:
    with pytest.raises(InvalidInputError, match=r"device\."):
        async with site(wrong):
            pass


async def test_two_devices_of_one_name() -> None:
    with pytest.raises(InvalidInputError, match=r"device\.name"):
        async with site(device(), device()):
            pass


async def test_a_dahua_camera_whose_path_nobody_can_change() -> None:
    cameras = [
        device(name, SayingDriver("dahua"), username=name, password=f"pass-{name}")
        for name in ("in", "out")
    ]
    async with site(*cameras, open_device()) as at:
        path = "/NotificationInfo/TollgateInfo"
        assert await at.curl(path, "--digest", "-u", "out:pass-out", body=b"{}") == 200
        assert await at.curl(path, "--digest", "-u", "in:pass-out", body=b"{}") == 401
        assert await at.curl(path, "--digest", "-u", "none:x", body=b"{}") == 401
        assert await at.curl(path, body=b"{}") == 401
        assert kept(at) == [("out", path, b"{}")]
    with pytest.raises(InvalidInputError, match=r"device\.b\.username"):
        async with site(*(device(name, SayingDriver("dahua")) for name in "ab")):
            pass
    async with site(open_device()) as at:
        assert await at.curl("/NotificationInfo/KeepAlive", body=b"{}") == 404


async def test_a_form_comes_as_it_was_sent(tmp_path: Path) -> None:
    picture = tmp_path / "plate.jpg"
    picture.write_bytes(b"\xff\xd8\xff" + b"\r\n--x" * 300_000 + b"\xff\xd9")
    async with site(device()) as at:
        form = ("--form-string", "anpr.xml=<a/>", "-F", f"plate=@{picture};type=image/jpeg")
        # Over a megabyte, so that curl waits for the go-ahead before it sends.
        assert await at.curl("/devices/cam", *DIGEST, *form) == 200
        ((_, message),) = at.intake.kept
        assert picture.read_bytes() in message.body
        assert message.headers["content-type"].startswith("multipart/form-data; boundary=")


async def test_chunks() -> None:
    async with site(open_device()) as at:
        assert await at.curl("/devices/cam", "-H", "Transfer-Encoding: chunked", body=XML) == 200
        assert at.intake.bodies == [XML]


async def test_addresses_and_requests_as_devices_write_them() -> None:
    async with site(open_device(), device("proven")) as at:
        assert await at.curl("//devices/cam", "--path-as-is", body=XML) == 200
        assert await at.curl("//devices/proven", "--path-as-is", *DIGEST, body=XML) == 200
        assert await at.curl("/devices/cam/", "-X", "PUT", "--http1.0", body=XML) == 200
        absolute = b"POST http://x/devices/cam HTTP/1.0\r\nContent-Length: 1\r\n\r\n1"
        assert (await at.raw(absolute))[:15] == b"HTTP/1.1 200 OK"
        assert at.intake.bodies == [XML, XML, XML, b"1"]


async def test_a_device_that_hangs_up_before_its_answer_is_told_of() -> None:
    async with site(open_device(driver=SayingDriver())) as at:
        at.intake.waits = True
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        writer.write(b"POST /devices/cam HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1")
        await writer.drain()
        async with asyncio.timeout(10):
            await at.intake.begun.wait()
            assert not at.intake.hung.is_set()
            writer.close()
            await writer.wait_closed()
            await at.intake.hung.wait()
        assert await reader.read() == b""


async def test_the_answer_is_the_driver_s() -> None:
    async with site(open_device(driver=SayingDriver())) as at:
        assert await at.curl_reply("/devices/cam", body=b"1") == (200, b'{"opens": 0}')
        at.intake.opens = True
        assert await at.curl_reply("/devices/cam", body=b"2") == (200, b'{"opens": 1}')


async def test_what_cannot_be_read_is_kept_and_answered_like_anything_else() -> None:
    bodies = [b"", b"\x00\xff", b"<a", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"]
    async with site(open_device()) as at:
        at.intake.breaks = ValueError("not readable")
        for body in bodies:
            assert await at.curl_reply("/devices/cam", "-X", "POST", body=body) == (200, b"")
        assert at.intake.bodies == bodies


async def test_what_is_not_kept_is_to_be_sent_again() -> None:
    async with site(open_device()) as at:
        for error in (JournalFullError("full"), OSError("disk"), ValueError("x")):
            at.intake.refuses = error
            status, answer = await at.curl_reply("/devices/cam", "-i", body=XML)
            assert (status, b"retry-after: 1" in answer) == (507, True)
        assert at.intake.acted == []
        at.intake.refuses = None
        assert await at.curl("/devices/cam", body=XML) == 200
        assert at.intake.bodies == [XML]


SMALL = DeviceLimits(body_bytes_max=1000, requests_at_once_max=2)


async def test_a_body_that_is_too_large() -> None:
    # More than a socket holds, and sent to its end before the answer is read.
    large = b"x" * 3_000_000
    async with site(device(limits=SMALL), open_device("other")) as at:
        for header in ("X: y", "Expect: 100-continue"):
            proven = (*DIGEST, "-H", header)
            assert await at.curl("/devices/cam", *proven, body=large) == 413
            assert await at.curl("/devices/cam", *proven, body=b"x" * 1001) == 413
            assert await at.curl("/devices/cam", *proven, body=b"x" * 1000) == 200
        assert at.intake.bodies == [b"x" * 1000] * 2
        chunked = ("-H", "Transfer-Encoding: chunked")
        assert await at.curl("/devices/other", *chunked, body=b"x" * 9_000_000) == 413
        assert await at.curl("/devices/other", *chunked, body=large) == 200


async def test_headers_that_do_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "REQUEST_TIMEOUT_S", 0.1)
    async with site(open_device()) as at:
        begun = [b"", b"POST /dev", b"POST /devices/cam HTTP/1.1\r\nX-A: "]
        said = await asyncio.gather(*(at.raw(each) for each in begun))
        assert [each[:13] for each in said] == [b"HTTP/1.1 408 "] * 3


async def test_a_body_that_trickles_in() -> None:
    times = ListenerTimes(body_s=0.3, place_s=5)
    async with site(open_device(), times=times) as at:
        head = b"POST /devices/cam HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
        slow, unknown = await asyncio.gather(
            at.raw(head + b"abc"), at.raw(head.replace(b"cam", b"none") + b"abc")
        )
        assert slow.startswith(b"HTTP/1.1 408 ")
        assert unknown.startswith(b"HTTP/1.1 404 ")
        assert b"connection: close" in slow
        assert at.intake.kept == []
        assert await at.curl("/devices/cam", body=XML) == 200


async def test_a_device_that_leaves_in_the_middle_leaves_nothing() -> None:
    async with site(open_device()) as at:
        head = b"POST /devices/cam HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc"
        await at.raw(head, then_close=True)
        assert await at.curl("/devices/cam", body=XML) == 200
        assert at.intake.bodies == [XML]


async def test_a_device_has_few_requests_at_once_and_the_others_wait() -> None:
    async with site(device(limits=SMALL), open_device("other")) as at:
        at.intake.gate = asyncio.Event()
        posts = [
            asyncio.create_task(at.curl("/devices/cam", *DIGEST, body=b"%d" % number))
            for number in range(5)
        ]
        await at.intake.until_waiting(2)
        # The two stand in nobody else's way.
        other = asyncio.create_task(at.curl("/devices/other", body=XML))
        await at.intake.until_waiting(3)
        at.intake.gate.set()
        assert await asyncio.gather(*posts, other) == [200] * 6
        assert at.intake.waiting_max == 3
        assert sorted(at.intake.bodies) == [*(b"%d" % number for number in range(5)), XML]


async def test_a_place_that_does_not_come_free() -> None:
    one = DeviceLimits(requests_at_once_max=1)
    async with site(device(limits=one), times=ListenerTimes(place_s=0.05)) as at:
        at.intake.gate = asyncio.Event()
        first = asyncio.create_task(at.curl("/devices/cam", *DIGEST, body=b"1"))
        await at.intake.until_waiting(1)
        status, answer = await at.curl_reply("/devices/cam", "-i", *DIGEST, body=b"2")
        assert (status, b"retry-after: 1" in answer) == (429, True)
        at.intake.gate.set()
        assert await first == 200
        assert at.intake.bodies == [b"1"]


async def test_a_device_that_never_stops() -> None:
    limits = DeviceLimits(requests_per_s=0.001, requests_burst=3)
    async with site(device(limits=limits), open_device("other")) as at:
        statuses = [await at.curl("/devices/cam", *DIGEST, body=b"1") for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        assert len(at.intake.kept) == 3
        assert await at.curl("/devices/other", body=XML) == 200


async def test_the_log_tells_of_wrong_passwords_and_not_of_every_first_request() -> None:
    empty = 'Authorization: Digest username="user", realm="", nonce="", uri="/devices/cam"'
    async with site(device()) as at:
        with capture_logs() as logged:
            assert await at.curl("/devices/cam", *DIGEST, body=b"1") == 200
            assert await at.curl("/devices/cam", "-H", empty, body=b"1") == 401
            told = [each for each in logged if each["event"] == "device_refused"]
            assert told == []
            for _ in range(3):
                assert await at.curl("/devices/cam", "--digest", "-u", "user:bad", body=b"1") == 401
            assert await at.curl("/devices/none?token=secret", body=b"1") == 404
        told = [each for each in logged if each["event"] == "device_refused"]
        assert [(each["device"], each["status"]) for each in told] == [("cam", 401), (None, 404)]
        # Where it went and who it was shows the slip in the camera's address.
        assert [(each["path"], each["peer"]) for each in told] == [
            ("/devices/cam", "127.0.0.1"),
            ("/devices/none", "127.0.0.1"),
        ]


async def test_the_log_tells_of_a_device_that_never_proves_itself() -> None:
    async with site(device()) as at, httpx.AsyncClient() as client:
        with capture_logs() as logged:
            # One less for curl, which asks to be asked, too.
            for _ in range(refusal_log.ASKED_IN_VAIN - 2):
                assert (await client.post(at.url + "/devices/cam")).status_code == 401
            # A proof in between: the count begins anew.
            assert await at.curl("/devices/cam", *DIGEST, body=b"1") == 200
            for _ in range(refusal_log.ASKED_IN_VAIN - 1):
                await client.post(at.url + "/devices/cam")
            assert [each for each in logged if each["event"] == "device_refused"] == []
            await client.post(at.url + "/devices/cam")
        [told] = [each for each in logged if each["event"] == "device_refused"]
        assert (told["device"], told["status"]) == ("cam", 401)


async def test_tries_without_the_password_cost_the_device_nothing() -> None:
    limits = DeviceLimits(requests_per_s=0.001, requests_burst=1)
    async with site(device(limits=limits)) as at:
        for _ in range(5):
            assert await at.curl("/devices/cam", "--digest", "-u", "user:bad", body=b"1") == 401
        assert await at.curl("/devices/cam", *DIGEST, body=b"1") == 200
