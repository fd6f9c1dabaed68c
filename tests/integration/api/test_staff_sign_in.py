"""Staff sign in through a provider that really signs; what is forged, old or mixed up does not."""

import html
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import jwt
import pytest

from api.app import create_app
from api.config import ApiConfig
from api.staff.sign_in import BEGUN_COOKIE, CALLBACK_PATH, REFRESH_COOKIE
from parking.flows.staff import member_desk
from parking.kit.errors import InvalidInputError
from parking.staff import provider as provider_module
from parking.staff.provider import KEYS_PERIOD_MIN, OidcProvider, ProviderSettings
from parking.staff.rules import Role
from sesame.sandbox.oidc import OidcOptions, OidcStandIn
from sesame.settings import Settings
from sesame.staff_provider import staff_provider
from tests.contract.http_server import listener, serving, url_of
from tests.factories.api import BASE_URL, ApiWorld
from tests.factories.staff import STAFF_PATH, Hired, code_of, hire

ADA: Final = "ada@example.org"
STRANGER: Final = "mallory@example.org"
ME: Final = "{ me { name } }"
SECRET: Final = "a secret: of/the client"
CHANGED_ANSWERS: Final[tuple[dict[str, str | None], ...]] = (
    {"state": "x"},
    {"state": None},
    {"code": "x"},
    {"code": None},
    {"iss": "https://evil.example.org"},
    {"iss": None},
)
WRONG_CLAIMS: Final[tuple[dict[str, Any], ...]] = (
    {"aud": "another client"},
    {"aud": ["the client", "another"], "azp": "another"},
    {"aud": ["the client", "another"]},
    {"iss": "https://evil.example.org"},
    {"nonce": "x"},
    {"sub": ""},
    {"exp": 1},
    {"iat": 1},
    {"iat": 99999999999},
    {"email_verified": False},
    {"email_verified": "true"},
    {"email": None},
)
ELSEWHERE: Final = (
    "https://evil.example.org/",
    "//evil.example.org",
    "/\\evil.example.org",
    "/console//evil.example.org",
    "/console/../pay/x",
    "/pay/x",
    "/console?next=//evil",
    "javascript:alert(1)",
)
OTHER_SITES: Final = (
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://evil.example.org"},
    {"origin": "null"},
)


@dataclass
class Stage:
    """A provider, our API that trusts it, and a browser."""

    api: ApiWorld
    ada: Hired
    stand_in: OidcStandIn
    browser: httpx.AsyncClient

    async def begin(self, return_to: str | None = None) -> str:
        """Press the link; returns where the provider is asked."""
        query = {} if return_to is None else {"return_to": return_to}
        begun = await self.browser.get("/staff/sign-in/oidc", params=query)
        assert begun.status_code == 303
        return begun.headers["location"]

    async def choose(self, url: str, email: str = ADA) -> str:
        """Be signed in at the provider; returns where the browser is sent back."""
        async with httpx.AsyncClient() as http:
            page = (await http.get(url)).text
            assert f">{email}</button>" in page
            action = html.unescape(re.findall(r'action="([^"]+)"', page)[0])
            there = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}{action}"
            answer = await http.post(there, content=urlencode({"email": email}))
        assert answer.status_code == 303
        return answer.headers["location"]

    async def come_back(self, url: str, **changes: str | None) -> httpx.Response:
        """Follow the provider's answer, with some of it changed."""
        query = {**dict(parse_qsl(urlsplit(url).query)), **changes}
        return await self.browser.get(
            CALLBACK_PATH, params={name: value for name, value in query.items() if value}
        )

    async def sign_in(self, email: str = ADA) -> httpx.Response:
        return await self.come_back(await self.choose(await self.begin(), email))

    async def token(self) -> httpx.Response:
        return await self.browser.post("/staff/sign-in/token")

    async def kept(self) -> list[tuple[str, str]]:
        rows = await self.api.lanes.rows("SELECT action, outcome FROM staff_acts ORDER BY id")
        return [(row["action"], row["outcome"]) for row in rows]


@pytest.fixture
async def stage(api: ApiWorld) -> AsyncGenerator[Stage]:
    ada = await hire(api, "Ada", [Role.VIEWER])
    listening = listener()
    issuer = url_of(listening)
    redirect_uri = api.lanes.context.public_url + CALLBACK_PATH
    options = OidcOptions("the client", SECRET, redirect_uri, (ADA, STRANGER))
    stand_in = OidcStandIn(options, api.lanes.clock, issuer)
    known = ProviderSettings(issuer, "the client", SECRET)
    config = ApiConfig(
        tokens=api.tokens,
        sms=api.sms,
        staff_provider=OidcProvider(known, clock=api.lanes.clock),
    )
    app = create_app(api.lanes.context, config)
    with serving(stand_in.app(), listening):
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=BASE_URL
        ) as browser:
            yield Stage(api, ada, stand_in, browser)


def refused(response: httpx.Response, status: int = 403) -> bool:
    """Say whether the page says no, and the browser was given nothing."""
    given = response.headers.get_list("set-cookie")
    kept = [one for one in given if one.startswith(f"{REFRESH_COOKIE}=")]
    return response.status_code == status and 'role="alert"' in response.text and not kept


async def test_a_member_signs_in_stays_in_and_gets_out(stage: Stage) -> None:
    page = await stage.browser.get("/staff/sign-in")
    assert 'href="/staff/sign-in/oidc?return_to=%2Fstaff%2Fsigned-in"' in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "<script>" not in page.text
    url = await stage.begin("/console/gates")
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"]
    signed_in = await stage.come_back(await stage.choose(url))
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/console/gates")
    [cookie] = [
        one
        for one in signed_in.headers.get_list("set-cookie")
        if one.startswith(f"{REFRESH_COOKIE}=")
    ]
    for word in ("HttpOnly", "SameSite=strict", "Path=/staff/sign-in"):
        assert word in cookie
    first = (await stage.token()).json()["accessToken"]
    second = (await stage.token()).json()["accessToken"]
    for token in (first, second):
        assert (await stage.api.ask(ME, token=token, path=STAFF_PATH))["me"]["name"] == "Ada"
    assert (await stage.browser.post("/staff/sign-in/end")).json() == {"ended": True}
    assert await code_of(stage.api, second, ME) == "UNAUTHENTICATED"
    ended = await stage.token()
    assert (ended.status_code, ended.json()) == (401, {"code": "UNAUTHENTICATED"})
    assert await stage.kept() == [("signIn", "done")]


async def test_nobody_who_does_not_work_here_gets_in(stage: Stage) -> None:
    assert refused(await stage.sign_in(STRANGER))
    member = stage.ada.member
    await member_desk.end(stage.api.lanes.context, member.operator_id, member.id)
    assert refused(await stage.sign_in())
    assert await stage.kept() == []


async def test_an_address_that_changed_hands_does_not_open_its_former_owners_membership(
    stage: Stage,
) -> None:
    assert (await stage.sign_in()).status_code == 303
    stage.stand_in.changes = {"sub": "somebody-else"}
    assert refused(await stage.sign_in())
    # And whoever has the account keeps it under another address.
    stage.stand_in.changes = {"email": "ada@new.example.org"}
    assert (await stage.sign_in()).status_code == 303


async def test_a_changed_answer_signs_nobody_in(stage: Stage) -> None:
    for changes in CHANGED_ANSWERS:
        back = await stage.choose(await stage.begin())
        assert refused(await stage.come_back(back, **changes)), changes
        assert await stage.kept() == []


async def test_an_answer_is_good_once_and_in_the_browser_that_asked(stage: Stage) -> None:
    back = await stage.choose(await stage.begin())
    begun = stage.browser.cookies[BEGUN_COOKIE]
    # Somebody else's browser, led to an answer that was meant for this one.
    stage.browser.cookies.clear()
    assert refused(await stage.come_back(back))
    stage.browser.cookies.set(BEGUN_COOKIE, begun, path="/staff/sign-in")
    assert (await stage.come_back(back)).status_code == 303
    stage.browser.cookies.clear()
    stage.browser.cookies.set(BEGUN_COOKIE, begun, path="/staff/sign-in")
    asked = len(stage.stand_in.asked)
    assert refused(await stage.come_back(back))
    assert len(stage.stand_in.asked) == asked
    late = await stage.choose(await stage.begin())
    stage.api.lanes.wait(minutes=10)
    assert refused(await stage.come_back(late))


async def test_a_token_for_somebody_or_something_else_signs_nobody_in(stage: Stage) -> None:
    for claims in WRONG_CLAIMS:
        stage.stand_in.changes = claims
        assert refused(await stage.sign_in()), claims
        assert await stage.kept() == []


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256"])
async def test_a_token_that_the_provider_did_not_sign_signs_nobody_in(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    encode = jwt.encode

    def forge(claims: dict[str, Any], key: Any, **given: Any) -> str:  # noqa: ANN401 - a library's
        if algorithm == "RS256":
            # The kid of a key that is known, and another key.
            key = provider_key()
        elif algorithm == "HS256":
            key = SECRET * 2
        else:
            key = None
        return encode(claims, key, algorithm=algorithm, headers=given["headers"])

    monkeypatch.setattr("sesame.sandbox.oidc.jwt.encode", forge)
    assert refused(await stage.sign_in())
    assert await stage.kept() == []


def provider_key() -> Any:  # noqa: ANN401 - a private key
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    return rsa.generate_private_key(65537, 2048)


async def test_new_keys_of_the_provider_are_found_and_not_asked_for_all_the_time(
    stage: Stage,
) -> None:
    assert (await stage.sign_in()).status_code == 303
    stage.stand_in.rotate()
    # A key that nobody knows: asked for at most once in a while.
    assert refused(await stage.sign_in())
    assert stage.stand_in.asked.count("/jwks") == 1
    stage.api.lanes.clock.advance(KEYS_PERIOD_MIN)
    assert (await stage.sign_in()).status_code == 303
    assert stage.stand_in.asked.count("/jwks") == 2
    assert stage.stand_in.asked.count("/.well-known/openid-configuration") == 1
    stage.api.lanes.clock.advance(timedelta(hours=1))
    assert (await stage.sign_in()).status_code == 303
    assert stage.stand_in.asked.count("/.well-known/openid-configuration") == 2


async def test_nobody_is_sent_elsewhere_afterwards(stage: Stage) -> None:
    for wanted in ELSEWHERE:
        signed_in = await stage.come_back(await stage.choose(await stage.begin(wanted)))
        assert signed_in.headers["location"] == "/staff/signed-in"
        page = await stage.browser.get("/staff/sign-in", params={"return_to": wanted})
        assert "evil" not in page.text


async def test_another_sites_page_gets_no_token_and_ends_nothing(stage: Stage) -> None:
    for headers in OTHER_SITES:
        await stage.sign_in()
        for path in ("token", "end"):
            answer = await stage.browser.post(f"/staff/sign-in/{path}", headers=headers)
            assert (answer.status_code, answer.json()) == (403, {"code": "FORBIDDEN"})
        assert (await stage.token()).status_code == 200


async def test_a_provider_that_is_away_or_another_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = await stage.choose(await stage.begin())
    monkeypatch.setattr(provider_module, "ANSWER_BYTES_MAX", 10)
    assert refused(await stage.come_back(back), status=503)
    stage.api.lanes.clock.advance(timedelta(hours=1))
    begun = await stage.browser.get("/staff/sign-in/oidc")
    assert refused(begun, status=503)
    monkeypatch.undo()
    monkeypatch.setattr(stage.stand_in, "_issuer", "https://evil.example.org")
    assert refused(await stage.browser.get("/staff/sign-in/oidc"), status=503)


async def test_without_a_provider_there_is_no_way_through_one(api: ApiWorld) -> None:
    page = await api.http.get("/staff/sign-in")
    assert "/staff/sign-in/oidc" not in page.text
    assert refused(await api.http.get("/staff/sign-in/oidc"), status=404)
    assert refused(await api.http.get(CALLBACK_PATH, params={"code": "x", "state": "x"}))


def test_half_a_provider_is_refused_at_the_start(tmp_path: Any) -> None:  # noqa: ANN401 - pytest's
    file = tmp_path / "secret"
    file.write_text("secret\n")
    whole = Settings(
        staff_oidc_issuer="https://id.example.org/",
        staff_oidc_client_id="sesame",
        staff_oidc_client_secret_file=file,
    )
    provider = staff_provider(whole)
    assert provider is not None
    assert provider.issuer == "https://id.example.org/"
    assert staff_provider(Settings()) is None
    for name, wrong in {
        "staff_oidc_client_id": None,
        "staff_oidc_client_secret_file": tmp_path / "missing",
        "staff_oidc_issuer": "http://id.example.org",
    }.items():
        with pytest.raises(InvalidInputError):
            staff_provider(whole.model_copy(update={name: wrong}))


def test_settings_show_no_secret() -> None:
    assert SECRET not in repr(ProviderSettings("https://id.example.org", "sesame", SECRET))
    assert replace(ProviderSettings("a", "b", SECRET), issuer="c").client_secret == SECRET
