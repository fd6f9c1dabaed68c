"""The page on which staff sign in; it has no script and no style of its own inside."""

from html import escape
from typing import Final
from urllib.parse import urlencode

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
PAGE_HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    # What a browser says of itself with a request that a script sends from here.
    "referrer-policy": "same-origin",
}
SIGN_IN_PATH: Final = "/staff/sign-in"
SIGNED_IN_PATH: Final = "/staff/signed-in"
INVITATION_PATH: Final = f"{SIGN_IN_PATH}/invitation"
REFUSED: Final = (
    "This does not sign you in. Please begin again, and ask your administrator if it happens twice."
)
UNAVAILABLE: Final = "The sign-in provider does not answer. Please try again in a minute."
_SCRIPT: Final = '<script src="/staff/sign-in/passkey.js" defer></script>'


def render_sign_in(*, return_to: str, has_provider: bool, problem: str = "") -> str:
    """Return the page with the ways to sign in."""
    told = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    query = escape(urlencode({"return_to": return_to}))
    provider = (
        f'<p><a id="provider" href="{SIGN_IN_PATH}/oidc?{query}">Sign in with your account</a></p>'
        if has_provider
        else ""
    )
    passkey = (
        f'<p><button id="passkey" type="button" data-return-to="{escape(return_to)}" hidden>'
        "Sign in with a passkey</button></p>"
    )
    return _page("Sign in", f'{told}{provider}{passkey}<p id="told" role="status"></p>{_SCRIPT}')


def render_signed_in() -> str:
    """Return the page for whoever wanted to go nowhere else."""
    return _page("Signed in", "<p>You are signed in.</p>")


def render_invitation() -> str:
    """Return the page on which an invited member registers a passkey."""
    body = (
        "<p>Register a passkey of this device; you sign in with it from then on.</p>"
        '<p><button id="register" type="button" hidden>Register a passkey</button></p>'
        f'<p id="told" role="status"></p>{_SCRIPT}'
    )
    return _page("Your invitation", body)


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} · Sesame</title></head><body><h1>{title}</h1>{body}</body></html>"
    )
