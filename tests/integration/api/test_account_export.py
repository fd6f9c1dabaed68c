"""The export of an account: all of it, for its owner alone."""

import json
from typing import Any

import httpx
import pytest

from parking.disputes.models import DisputeReason
from parking.flows.accounts import export
from parking.flows.accounts.export_sections import SECTIONS
from tests.factories.api import ApiWorld
from tests.factories.bound_plates import bind_plate
from tests.factories.disputes import dispute
from tests.factories.lane_world import PLATE
from tests.integration.api.test_account import REGISTER, confirm, only
from tests.integration.api.test_sign_in import PHONE, sign_in_fully

OTHER_PLATE = "沪B22222"


async def download(api: ApiWorld, token: str | None) -> httpx.Response:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return await api.http.get("/account/export", headers=headers)


async def lived(api: ApiWorld) -> str:
    """Return the token of a driver who has parked and complained."""
    token = (await sign_in_fully(api))["accessToken"]
    driver_id = api.tokens.verify_driver(token).driver_id
    async with api.lanes.context.database.begin() as unit:
        bind_plate(unit, driver_id, PLATE)
    target = {"kind": "FID", "target": "the-phone", "platform": "ios"}
    await only(api, REGISTER, token, input=target)
    await api.lanes.permit(driver_id)
    await api.lanes.drive_in(PLATE)
    api.lanes.wait(minutes=45)
    assert (await api.lanes.drive_out(PLATE)).reason == "paid"
    [bill] = await api.lanes.rows("SELECT session_id FROM bills")
    await dispute(api.lanes, driver_id, bill["session_id"], DisputeReason.OTHER)
    return await api.token_of(driver_id)


async def test_the_file_has_everything_in_clear(api: ApiWorld) -> None:
    token = await lived(api)
    answer = await download(api, token)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="sesame-account.json"'
    assert answer.headers["cache-control"] == "no-store"
    file: dict[str, Any] = answer.json()
    assert list(file) == [
        "format",
        "exportedAt",
        *(section.name for section in SECTIONS),
        "incomplete",
    ]
    assert (file["format"], file["incomplete"]) == ("sesame-account-export/1", [])
    assert [one["phone"] for one in file["phoneNumbers"]] == [PHONE]
    assert [one["plate"] for one in file["plates"]] == [PLATE]
    [stay] = file["stays"]
    assert (stay["plate"], stay["state"]) == (PLATE, "left")
    [bill] = file["bills"]
    assert (bill["stayId"], bill["state"]) == (stay["id"], "paid")
    assert bill["lines"][0]["reason"]
    [payment] = file["payments"]
    assert (payment["billId"], payment["amountMinor"]) == (bill["id"], bill["totalMinor"])
    [authorization] = file["authorizations"]
    assert (authorization["provider"], authorization["state"]) == ("fake", "active")
    [terms] = file["confirmedTerms"]
    assert terms["mandateId"] == authorization["id"]
    assert "Password-free payment" in terms["terms"]
    assert [one["reason"] for one in file["disputes"]] == ["other"]
    assert [one["platform"] for one in file["devices"]] == ["ios"]
    assert len(file["signIns"]) == 2


async def test_another_driver_gets_nothing_of_it(api: ApiWorld) -> None:
    await lived(api)
    _, stranger = await api.add_driver(OTHER_PLATE)
    text = (await download(api, stranger)).text
    assert PLATE not in text
    assert PHONE not in text
    file = json.loads(text)
    assert [one["plate"] for one in file["plates"]] == [OTHER_PLATE]
    assert (file["stays"], file["bills"], file["payments"]) == ([], [], [])


async def test_nobody_gets_it_without_a_fresh_proof(api: ApiWorld) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    assert (await download(api, None)).json() == {"code": "UNAUTHENTICATED"}
    assert (await download(api, "x")).status_code == 401
    api.lanes.wait(minutes=5)
    refused = await download(api, token)
    assert (refused.status_code, refused.json()) == (403, {"code": "REAUTHENTICATION_REQUIRED"})
    await confirm(api, token, "EXPORT_ACCOUNT")
    assert (await download(api, token)).status_code == 200


async def test_a_driver_gets_five_files_an_hour(api: ApiWorld) -> None:
    token = (await sign_in_fully(api))["accessToken"]
    for _ in range(5):
        assert (await download(api, token)).status_code == 200
    refused = await download(api, token)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3600")


async def test_a_long_list_comes_in_pages(api: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in = [await sign_in_fully(api) for _ in range(5)]
    token = signed_in[-1]["accessToken"]
    monkeypatch.setattr(export, "ROWS_PER_PAGE", 2)
    file = (await download(api, token)).json()
    assert (len(file["signIns"]), file["incomplete"]) == (5, [])
    monkeypatch.setattr(export, "ROWS_MAX", 4)
    file = (await download(api, token)).json()
    assert (len(file["signIns"]), file["incomplete"]) == (4, ["signIns"])


async def test_every_list_of_an_empty_account_can_be_read(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    file = (await download(api, token)).json()
    assert file["incomplete"] == []
    full = {name for name, value in file.items() if value}
    assert full == {"format", "exportedAt", "account", "plates", "signIns"}
