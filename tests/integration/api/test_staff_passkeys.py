"""Passkeys in a real browser, with an authenticator that Chromium plays."""

import base64
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from api.app import create_app
from api.config import ApiConfig
from api.staff.sign_in import REFRESH_COOKIE
from parking.staff.rules import Role
from tests.browser import CHROMIUM, Browser, Tab
from tests.contract.http_server import listener, url_of
from tests.factories.api import ApiWorld
from tests.factories.staff import STAFF_PATH, Hired, ask_staff, code_of, hire
from tests.money.loop_server import served

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

INVITE: Final = """
mutation Invite($id: ID!) { inviteStaffMember(input: {memberId: $id}) {
  ... on StaffMemberInvited { url } ... on Refusal { code }
} }
"""
END_PASSKEYS: Final = """
mutation End($id: ID!) { endStaffPasskeys(input: {memberId: $id}) {
  ... on StaffPasskeysEnded { ended } ... on Refusal { code }
} }
"""
DESK: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
# A page that leaves out what ours asks the device for.
CARELESS: Final = """
(async () => {
  const send = (path, body) => fetch(path, {
    method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)
  });
  const asked = await send("/staff/sign-in/invitation/options", {token: location.hash.slice(1)});
  const options = await asked.json();
  options.authenticatorSelection = {userVerification: "discouraged", residentKey: "discouraged"};
  let made;
  try {
    made = await navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)
    });
  } catch (problem) { return String(problem); }
  const given = {credential: made.toJSON(), name: "x"};
  return (await send("/staff/sign-in/invitation", given)).status;
})()
"""
ME: Final = "{ me { name } }"


@dataclass
class Stage:
    """Our pages, an administrator, a member who is invited, and a browser with a device."""

    api: ApiWorld
    ada: Hired
    bo: Hired
    url: str
    tab: Tab
    authenticator: str = ""

    async def invite(self) -> str:
        member = self.bo.member
        key = base64.urlsafe_b64encode(f"StaffMember:{member.operator_id}:{member.id}".encode())
        given = {"id": key.decode().rstrip("=")}
        invited = await ask_staff(self.api, self.ada.token, INVITE, given)
        path, _, token = invited["inviteStaffMember"]["url"].partition("#")
        assert path.endswith("/staff/sign-in/invitation")
        return f"{self.url}/staff/sign-in/invitation#{token}"

    async def plug_in(self, *, is_verified: bool = True) -> None:
        """Give the browser a device that knows its owner, or does not."""
        await self.tab.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": is_verified,
            "isUserVerified": is_verified,
            "automaticPresenceSimulation": True,
        }
        added = await self.tab.send("WebAuthn.addVirtualAuthenticator", options=options)
        self.authenticator = added["authenticatorId"]

    async def register(self) -> str:
        """Register a passkey; returns the link, which is used up."""
        invitation = await self.invite()
        await self.tab.open(invitation)
        await self.tab.press("Register a passkey")
        await self.tab.wait_for_text("You are signed in.")
        return invitation

    async def sign_in(self) -> None:
        await self.tab.send("Network.clearBrowserCookies")
        await self.tab.open(f"{self.url}/staff/sign-in")
        await self.tab.press("Sign in with a passkey")

    async def access_token(self) -> str:
        cookies = await self.tab.cookies(f"{self.url}/staff/sign-in")
        async with httpx.AsyncClient(cookies={REFRESH_COOKIE: cookies[REFRESH_COOKIE]}) as http:
            return (await http.post(f"{self.url}/staff/sign-in/token")).json()["accessToken"]

    async def credential(self) -> dict[str, Any]:
        found = await self.tab.send("WebAuthn.getCredentials", authenticatorId=self.authenticator)
        [credential] = found["credentials"]
        return credential

    async def sign_ins(self) -> int:
        rows = await self.api.lanes.rows("SELECT 1 FROM staff_sign_ins WHERE method = 'passkey'")
        return len(rows)


@pytest.fixture
async def stage(api: ApiWorld, tmp_path: Path) -> AsyncGenerator[Stage]:
    listening = listener()
    # A site has a name: an address has no passkeys.
    url = url_of(listening).replace("127.0.0.1", "localhost")
    context = replace(api.lanes.context, public_url=url)
    app = create_app(context, ApiConfig(tokens=api.tokens, sms=api.sms))
    ada, bo = await hire(api, "Ada", [Role.ADMIN]), await hire(api, "Bo", [Role.VIEWER])
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(served(app, listening))
        browser = await stack.enter_async_context(Browser.start(tmp_path / "profile"))
        yield Stage(api, ada, bo, url, await browser.tab(DESK))


async def test_an_invited_member_registers_a_passkey_and_signs_in_with_it(stage: Stage) -> None:
    await stage.plug_in()
    invitation = await stage.register()
    for count in (2, 3):
        await stage.sign_in()
        await stage.tab.wait_for_text("You are signed in.")
        me = await stage.api.ask(ME, token=await stage.access_token(), path=STAFF_PATH)
        assert me["me"]["name"] == "Bo"
        assert await stage.sign_ins() == count
    [kept] = await stage.api.lanes.rows("SELECT sign_count FROM staff_passkeys")
    assert kept["sign_count"] == (await stage.credential())["signCount"]
    # Everything that the pages do, their policy allows.
    assert stage.tab.errors == []
    await stage.tab.open(invitation)
    await stage.tab.press("Register a passkey")
    await stage.tab.wait_for_text("That did not work.")
    await forbid_copies(stage)
    await end_passkeys(stage)


async def forbid_copies(stage: Stage) -> None:
    """A copy of the device answers with a count that was seen before."""
    copied = {**await stage.credential(), "signCount": 0}
    await stage.tab.send("WebAuthn.clearCredentials", authenticatorId=stage.authenticator)
    await stage.tab.send(
        "WebAuthn.addCredential", authenticatorId=stage.authenticator, credential=copied
    )
    before = await stage.sign_ins()
    await stage.sign_in()
    await stage.tab.wait_for_text("That did not work.")
    assert await stage.sign_ins() == before


async def end_passkeys(stage: Stage) -> None:
    """A lost device opens nothing, and nothing that it was signed in with."""
    token = stage.bo.token
    member = stage.bo.member
    key = base64.urlsafe_b64encode(f"StaffMember:{member.operator_id}:{member.id}".encode())
    given = {"id": key.decode().rstrip("=")}
    for count in (1, 0):
        ended = await ask_staff(stage.api, stage.ada.token, END_PASSKEYS, given)
        assert ended["endStaffPasskeys"] == {"ended": count}
    assert await code_of(stage.api, token, ME) == "UNAUTHENTICATED"
    before = await stage.sign_ins()
    await stage.sign_in()
    await stage.tab.wait_for_text("That did not work.")
    assert await stage.sign_ins() == before


async def test_what_does_not_hold_registers_nothing(stage: Stage) -> None:
    await stage.plug_in(is_verified=False)
    invitation = await stage.invite()
    await stage.tab.open(invitation)
    await stage.tab.press("Register a passkey")
    # The device could not tell that it is its owner who presses.
    await stage.tab.wait_for_text("That did not work.")
    careless = await stage.tab.send(
        "Runtime.evaluate", expression=CARELESS, awaitPromise=True, returnByValue=True
    )
    assert careless["result"].get("value") == 403, careless
    await stage.tab.send("WebAuthn.removeVirtualAuthenticator", authenticatorId=stage.authenticator)
    await stage.plug_in()
    token = invitation.partition("#")[2]
    stage.api.lanes.wait(hours=24)
    async with httpx.AsyncClient(base_url=stage.url) as http:
        for given in (token, token[:-4] + "AAAA", "x", ""):
            answer = await http.post("/staff/sign-in/invitation/options", json={"token": given})
            assert (answer.status_code, answer.json()) == (403, {"code": "SIGN_IN_REFUSED"})
        for path in ("passkey", "invitation"):
            answer = await http.post(f"/staff/sign-in/{path}", json={"credential": {}, "name": "x"})
            assert (answer.status_code, answer.json()) == (403, {"code": "SIGN_IN_REFUSED"})
            answer = await http.post(f"/staff/sign-in/{path}", content=json.dumps([]))
            assert (answer.status_code, answer.json()) == (400, {"code": "INVALID_INPUT"})
            evil = {"origin": "https://evil.example.org"}
            answer = await http.post(f"/staff/sign-in/{path}", json={}, headers=evil)
            assert (answer.status_code, answer.json()) == (403, {"code": "FORBIDDEN"})
    assert await stage.api.lanes.rows("SELECT 1 FROM staff_passkeys") == []
    assert await stage.sign_ins() == 0
