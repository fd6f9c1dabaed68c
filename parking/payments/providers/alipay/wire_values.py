"""Amounts, times and words as Alipay writes them."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from parking.kit.money import Money

TIMEZONE = "Asia/Shanghai"
CURRENCY = "CNY"
SUBJECT_LENGTH_MAX = 256

_SHANGHAI = ZoneInfo(TIMEZONE)
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_YUAN = re.compile(r"(-?)([0-9]{1,11})(?:\.([0-9]{1,2}))?", re.ASCII)
# The documentation forbids these in a subject; `&` and `=` would also blur what is signed.
_FORBIDDEN_IN_SUBJECT = re.compile(r"[/=&%+<>\"'\\\x00-\x1f]+")


def yuan(amount: Money) -> str:
    """Return `12.50` for 1250 fen."""
    whole, part = divmod(amount.amount_minor, 100)
    return f"{whole}.{part:02d}"


def fen(text: str) -> int:
    """Return the fen of a decimal amount in yuan; never through a float.

    Raises:
        ValueError: it is not an amount with at most two decimals.
    """
    found = _YUAN.fullmatch(text)
    if found is None:
        raise ValueError("amount: expected yuan with at most two decimals")
    minor = int(found[2]) * 100 + int((found[3] or "").ljust(2, "0"))
    return -minor if found[1] else minor


def stamp(at: datetime) -> str:
    """Return the time as Alipay writes it, in Shanghai's time."""
    return at.astimezone(_SHANGHAI).strftime(_TIME_FORMAT)


def instant(text: str) -> datetime:
    """Return a time that Alipay wrote, aware, UTC.

    Raises:
        ValueError: it is not such a time.
    """
    # Some fields carry milliseconds; nothing here needs them.
    read = datetime.strptime(text.partition(".")[0], _TIME_FORMAT).replace(tzinfo=_SHANGHAI)
    return read.astimezone(UTC)


def subject(description: str) -> str:
    """Return what the payer reads, without what Alipay forbids in it."""
    words = _FORBIDDEN_IN_SUBJECT.sub(" ", description).split()
    return " ".join(words)[:SUBJECT_LENGTH_MAX] or "Parking"
