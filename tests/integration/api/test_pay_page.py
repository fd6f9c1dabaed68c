"""The QR page of a temporary user."""

import re

import pytest
import structlog.testing

from api import callbacks
from parking.flows.pay_link import pay_token
from parking.flows.payments import checkout
from parking.kit.errors import UnavailableError
from parking.payments.fake import Fault
from parking.payments.service import AmountMismatchError
from tests.factories.api import ApiWorld
from tests.factories.lane_world import read_of


async def pay_path(api: ApiWorld) -> str:
    [row] = await api.lanes.rows("SELECT operator_id, id FROM sessions")
    return "/pay/" + pay_token(api.lanes.context.vault, row["operator_id"], row["id"])


async def test_a_bill_that_is_due(api: ApiWorld) -> None:
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    response = await api.http.get(await pay_path(api))
    assert response.status_code == 200
    html = response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert len(response.content) < 30_000
    assert "<h1>Riverside</h1>" in html
    assert "京A•••31" in html
    assert "京A88731" not in html
    assert "<button>Pay 10.00 CNY</button>" in html
    assert "<svg" in html
    assert "<script" not in html
    assert "http-equiv" not in html
    assert "<strong>Total</strong>" in html


async def test_the_style_is_the_one_that_the_policy_allows(api: ApiWorld) -> None:
    await api.lanes.drive_in()
    response = await api.http.get(await pay_path(api))
    policy = response.headers["content-security-policy"]
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert "script-src" not in policy
    assert response.text.count("<style>") == 1
    assert "style=" not in response.text


async def test_paying_goes_on_to_the_provider_and_back(api: ApiWorld) -> None:
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    path = await pay_path(api)
    first, second = await api.http.post(path), await api.http.post(path)
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    waiting = (await api.http.get(path)).text
    assert "A payment is under way." in waiting
    assert '<meta http-equiv="refresh" content="5">' in waiting
    [attempt] = await api.lanes.rows("SELECT number FROM payment_attempts")
    assert api.lanes.provider.pay(attempt["number"])
    sent = api.lanes.provider.notices[-1]
    for _ in range(2):
        told = await api.http.post("/callbacks/fake", content=sent.body, headers=dict(sent.headers))
        assert (told.status_code, told.content) == (204, b"")
    paid = (await api.http.get(path)).text
    assert "<strong>Nothing is due.</strong> You paid 10.00 CNY." in paid
    assert "Please leave by" in paid
    assert "<button>" not in paid
    assert (await api.http.post(path)).headers["location"] == path
    assert api.lanes.provider.captured("CNY") == 1000


async def test_goodbye_after_leaving(api: ApiWorld) -> None:
    await api.lanes.drive_in()
    api.lanes.wait(minutes=5)
    assert (await api.lanes.drive_out()).action == "open"
    html = (await api.http.get(await pay_path(api))).text
    assert "<strong>Goodbye.</strong> You paid 0.00 CNY." in html


async def test_a_provider_that_is_away(api: ApiWorld) -> None:
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    path = await pay_path(api)
    api.lanes.provider.play(Fault.LOSE_ANSWER_BEFORE)
    failed = await api.http.post(path)
    assert failed.status_code == 503
    assert "The payment page does not answer. Please try again." in failed.text
    again = await api.http.post(path)
    assert again.status_code == 303
    assert await api.lanes.count("payment_attempts") == 1


async def test_whoever_comes_back_from_a_provider_is_sent_to_the_app(api: ApiWorld) -> None:
    response = await api.http.get("/")
    assert response.status_code == 200
    for words in ("Go back to the app", "请返回应用", "Zurück zur App"):
        assert words in response.text
    assert (await api.http.post("/")).status_code == 405


async def test_an_address_that_is_none_of_ours(api: ApiWorld) -> None:
    await api.lanes.drive_in()
    path = await pay_path(api)
    altered = path[:-4] + ("AAAA" if path[-4:] != "AAAA" else "BBBB")
    other = path.replace("-", "%2B")
    spelt = {path + "=", other} - {path}
    moved = await api.http.get(path + "/", headers={"host": "evil.example"})
    assert (moved.status_code, moved.headers.get("location")) == (404, None)
    for bad in (*spelt, "/pay/x", altered, "/pay/" + "A" * 5000, "/pay/%00", "/pay/<script>"):
        for method in ("GET", "POST"):
            response = await api.http.request(method, bad)
            assert response.status_code == 404, bad
            assert "No such bill" in response.text
            assert "<script>" not in response.text
    assert await api.lanes.count("payment_attempts") == 0


async def test_names_are_escaped(api: ApiWorld) -> None:
    await api.lanes.drive_in()
    await api.lanes.rows_changed("UPDATE places SET name = '<script>alert(1)</script>'")
    html = (await api.http.get(await pay_path(api))).text
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


async def test_a_notice_that_is_forged(api: ApiWorld) -> None:
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    presentation_id = await api.lanes.arrive(api.lanes.exit)
    await api.lanes.decide(api.lanes.exit, presentation_id, read_of("京A88731"))
    await api.http.post(await pay_path(api))
    [attempt] = await api.lanes.rows("SELECT number FROM payment_attempts")
    api.lanes.provider.pay(attempt["number"])
    sent = api.lanes.provider.notices[-1]
    for content, headers in ((sent.body + b" ", dict(sent.headers)), (sent.body, {}), (b"", {})):
        told = await api.http.post("/callbacks/fake", content=content, headers=headers)
        assert told.status_code == 401
    with structlog.testing.capture_logs() as logs:
        large = await api.http.post("/callbacks/fake", content=b"x" * 70_000)
        unknown = await api.http.post("/callbacks/no%0abody", content=sent.body)
    assert (large.status_code, unknown.status_code) == (413, 404)
    assert [(entry["event"], entry["provider"], entry["reason"]) for entry in logs] == [
        ("notice.refused", "fake", "PAYLOAD_TOO_LARGE"),
        ("notice.refused", None, "PROVIDER_UNKNOWN"),
    ]
    [attempt] = await api.lanes.rows("SELECT state FROM payment_attempts")
    assert attempt["state"] == "sent"


async def test_a_notice_that_cannot_be_stored_is_asked_for_again(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.lanes.drive_in()
    api.lanes.wait(minutes=45)
    await api.http.post(await pay_path(api))
    [attempt] = await api.lanes.rows("SELECT number FROM payment_attempts")
    api.lanes.provider.pay(attempt["number"])
    sent = api.lanes.provider.notices[-1]
    for failure, status in (
        (UnavailableError("PostgreSQL does not answer"), 503),
        (AmountMismatchError("amount: expected 10.00 CNY"), 422),
    ):

        async def fail(*_: object, failure: Exception = failure) -> None:
            raise failure

        monkeypatch.setattr(callbacks, "receive_notice", fail)
        told = await api.http.post("/callbacks/fake", content=sent.body, headers=dict(sent.headers))
        assert told.status_code == status
        assert "10.00" not in told.text


async def test_a_defect_does_not_write_the_secret_address_into_the_log(
    api: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.lanes.drive_in()
    path = await pay_path(api)

    async def fail(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(checkout, "bill_of", fail)
    with structlog.testing.capture_logs() as logs, pytest.raises(RuntimeError, match="on purpose"):
        await api.http.get(path)
    [entry] = logs
    assert (entry["event"], entry["area"]) == ("http.failed", "pay")
    assert sorted(entry) == ["area", "correlation_id", "event", "exc_info", "log_level"]
