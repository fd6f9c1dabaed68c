"""The bill of a temporary user, behind the QR code on a lane's display: no app, no script."""

import base64
import hashlib
from datetime import datetime
from html import escape
from typing import Final
from zoneinfo import ZoneInfo

import segno

from api.pages.bridge import has_bridge, render_bridge
from parking.flows.bills.live_bill import BillLine
from parking.flows.payments.checkout import PayPage, PayState
from parking.kit.money import Money

STYLE: Final = """
body{font:1.1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:0 auto;padding:1rem;
color:#161616;background:#fff}
h1{font-size:1.3rem}table{width:100%;border-collapse:collapse}
td{padding:.3rem 0;border-bottom:1px solid #ddd;vertical-align:top}
td:last-child{text-align:right;white-space:nowrap}
.due{font-size:2rem;font-weight:700;margin:1rem 0}
button{font:inherit;font-weight:700;width:100%;padding:.9rem;border:0;border-radius:.5rem;
color:#fff;background:#0a6b3d;margin:0 0 .6rem}
button.other{color:#0a6b3d;background:#e8f3ed}
.note{color:#555}.alert{border-left:4px solid #b00020;padding-left:.7rem}
svg{width:9rem;height:9rem;display:block;margin:1.5rem auto 0}
@media(prefers-color-scheme:dark){body{color:#eee;background:#121212}td{border-color:#333}
.note{color:#aaa}svg{background:#fff}}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# The form is answered with a redirect to the payment provider, which browsers count as its action.
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self' https: http:; "
    "frame-ancestors 'none'; base-uri 'none'"
)
# A provider may ask which site a payer comes from. The path is the secret, and stays here.
REFERRER_POLICY: Final = "strict-origin"
_REFRESH_S: Final = 5
_LINES_SHOWN_MAX: Final = 40
_RECEIPTS_SHOWN_MAX: Final = 20

_TO_THE_APP: Final = "Scan this code with the payment app."
_TO_ANOTHER_PHONE: Final = (
    "The phone that shows this code cannot scan it. Scan it with another phone; or open this bill "
    "in the phone's own browser (in WeChat: the menu at the top right) and press the button there; "
    "or choose another way to pay."
)
_METHODS: Final = {
    "acquirer": "the payment service",
    "alipay": "Alipay",
    "gocardless": "bank transfer",
    "stripe": "card",
    "wechat": "WeChat Pay",
}
_REASONS: Final = {
    "free": "Free time",
    "grace": "Short stay",
    "increment": "Parking",
    "flat": "Flat rate",
    "per_second": "Parking",
    "paid_before": "Paid already",
    "grace_after_payment": "Time to leave",
}


def render(
    page: PayPage,
    *,
    address: str,
    notice: str | None = None,
    receipts: int = 0,
    scanned_with: str | None = None,
    owed: str = "",
) -> str:
    """Return the page of a bill.

    Args:
        page: The bill.
        address: The page's own address, for the QR code.
        notice: What went wrong with the last attempt to pay, if anything.
        receipts: How many receipts there are to download.
        scanned_with: The provider whose app shows the page: its button comes first.
        owed: What the car owes besides, as the page shows it.
    """
    zone = ZoneInfo(page.timezone)
    alert = "" if notice is None else f'<p class="alert" role="alert">{escape(notice)}</p>'
    body = f"""<h1>{escape(page.place_name)}</h1>
<p>{escape(page.plate_masked)}<br>
<span class="note">Entered {_time(page.entered_at, zone)}</span></p>
{alert}{_state(page, zone, scanned_with)}
{_table(page, zone)}
{owed}{_receipts(address, receipts)}<p class="note">As of {_time(page.as_of, zone)}</p>
{_qr(address)}"""
    # Where the page hands over, its script looks again: not while the app asks for the password.
    is_waiting = page.state is PayState.IN_PROGRESS and not hands_over(page, scanned_with)
    refresh = f'<meta http-equiv="refresh" content="{_REFRESH_S}">'
    return _document(body, head=refresh if is_waiting else "")


def render_home() -> str:
    """Return the page that a provider's page leads back to: whose language is not known."""
    return _document(
        """<h1>Go back to the app</h1><p>It shows what became of it. You may close this page.</p>
<h1 lang="zh">请返回应用</h1><p lang="zh">结果会显示在应用中。您可以关闭此页面。</p>
<h1 lang="de">Zurück zur App</h1><p lang="de">Sie zeigt, was daraus geworden ist.
Diese Seite können Sie schließen.</p>""",
        title="Sesame",
    )


def render_unknown() -> str:
    """Return the page of an address that is none of ours."""
    return _document(
        "<h1>No such bill</h1><p>Scan the code on the lane's display again, or call staff.</p>"
    )


def render_code(content: str, address: str, *, is_phone: bool = False) -> str:
    """Return the page of a payment that an app begins by reading a code, not by a link.

    Args:
        content: What the code says.
        address: Of the bill, to come back to.
        is_phone: Whether a phone shows the page, which cannot read a code from its own screen.
    """
    code = segno.make(content, error="m").svg_inline(omitsize=True, title="Payment code")
    words = _TO_ANOTHER_PHONE if is_phone else _TO_THE_APP
    return _document(
        f"""<h1>Scan to pay</h1>
<p>{escape(words)}</p>
{code}
<p><a href="{escape(address)}">See whether it is paid</a></p>"""
    )


def hands_over(page: PayPage, scanned_with: str | None) -> bool:
    """Return whether the page hands its open payment over to the app that shows it."""
    is_in_app = page.state is PayState.IN_PROGRESS and page.open_method == scanned_with
    return is_in_app and page.handover is not None and has_bridge(scanned_with)


def _document(body: str, *, head: str = "", title: str = "Your parking bill") -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">{head}
<title>{title}</title><style>{STYLE}</style></head>
<body>{body}</body></html>
"""


def _state(page: PayPage, zone: ZoneInfo, scanned_with: str | None) -> str:
    if page.state is PayState.DUE:
        return f"""<p class="due">{_money(page.due)}</p>
{_buttons(page, scanned_with)}"""
    if page.state is PayState.IN_PROGRESS:
        return f"""<p class="due">{_money(page.due)}</p>
<p>A payment is under way. This page looks again by itself.</p>
{_bridge(page, scanned_with)}{_buttons_while_open(page, scanned_with)}"""
    if page.state is PayState.LEFT:
        return f"<p><strong>Goodbye.</strong> You paid {_money(page.paid)}.</p>"
    until = page.prepaid_until
    leave = "" if until is None else f" Please leave by {_time(until, zone)}."
    return f"<p><strong>Nothing is due.</strong> You paid {_money(page.paid)}.{leave}</p>"


def _buttons(page: PayPage, scanned_with: str | None) -> str:
    methods = _in_order(page, scanned_with)
    if not methods:
        return '<p class="alert">Please call staff to pay.</p>'
    if len(methods) == 1:
        return f"""<form method="post"><button>Pay {_money(page.due)}</button></form>"""
    buttons = "".join(
        f'<button name="provider" value="{escape(method)}">'
        f"Pay {_money(page.due)} with {_method(method)}</button>"
        for method in methods
    )
    return f"""<form method="post">{buttons}</form>"""


def _buttons_while_open(page: PayPage, scanned_with: str | None) -> str:
    if page.open_method is None:
        # A driver's account is being charged: its outcome comes first.
        return ""
    others = "".join(
        f'<button class="other" name="provider" value="{escape(method)}">'
        f"Pay with {_method(method)} instead</button>"
        for method in _in_order(page, scanned_with)
        if method != page.open_method
    )
    return f"""<form method="post"><button>Back to the payment page</button>{others}</form>"""


def _bridge(page: PayPage, scanned_with: str | None) -> str:
    if page.handover is None or scanned_with is None or not hands_over(page, scanned_with):
        return ""
    words = f"Pay {_money(page.due)} with {_method(scanned_with)}"
    return render_bridge(scanned_with, page.handover, words)


def _in_order(page: PayPage, scanned_with: str | None) -> list[str]:
    return sorted(page.methods, key=lambda method: method != scanned_with)


def _method(name: str) -> str:
    return escape(_METHODS.get(name, name))


def _table(page: PayPage, zone: ZoneInfo) -> str:
    currency = page.total.currency
    rows = [_row(line, currency, zone) for line in page.lines[:_LINES_SHOWN_MAX]]
    hidden = len(page.lines) - len(rows)
    if hidden > 0:
        rows.append(f"<tr><td>{hidden} more lines</td><td></td></tr>")
    rows.append(
        f"<tr><td><strong>Total</strong></td><td><strong>{_money(page.total)}</strong></td></tr>"
    )
    return f"<table>{''.join(rows)}</table>"


def _receipts(address: str, count: int) -> str:
    links = (
        f'<a href="{escape(address)}/receipts/{number}" download>'
        f"{'Receipt' if count == 1 else f'Receipt {number}'}</a>"
        for number in range(1, min(count, _RECEIPTS_SHOWN_MAX) + 1)
    )
    return f"<p>{', '.join(links)}</p>\n" if count else ""


def _row(line: BillLine, currency: str, zone: ZoneInfo) -> str:
    name = escape(_REASONS.get(line.reason, line.reason.replace("_", " ").capitalize()))
    note = f" ({escape(line.note)})" if line.note else ""
    span = ""
    if line.starts_at is not None and line.ends_at is not None:
        starts, ends = line.starts_at.astimezone(zone), line.ends_at.astimezone(zone)
        is_one_day = starts.date() == ends.date()
        times = f"{_time(starts, zone)} to {f'{ends:%H:%M}' if is_one_day else _time(ends, zone)}"
        span = f'<br><span class="note">{times}</span>'
    return (
        f"<tr><td>{name}{note}{span}</td><td>{_money(Money(line.amount_minor, currency))}</td></tr>"
    )


def _money(amount: Money) -> str:
    return escape(amount.format())


def _time(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def _qr(address: str) -> str:
    return segno.make(address, error="m").svg_inline(omitsize=True, title="This page's address")
