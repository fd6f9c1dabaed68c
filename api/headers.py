"""Headers that every answer carries."""

from collections.abc import Sequence
from typing import Final

_DEFAULTS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_TRANSPORT_SECURITY: Final = "max-age=31536000; includeSubDomains"


Header = tuple[bytes, bytes]


class SecurityHeaders:
    """What an answer carries beside what its route says.

    Args:
        is_https: Whether phones reach us by https; browsers are then told to keep to it.
    """

    def __init__(self, *, is_https: bool) -> None:
        headers = dict(_DEFAULTS)
        if is_https:
            headers["strict-transport-security"] = _TRANSPORT_SECURITY
        # As bytes, for they are compared with those of every answer.
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    def beside(self, own: Sequence[Header]) -> list[Header]:
        """Return the headers that a route did not set itself."""
        names = {name for name, _ in own}
        return [each for each in self._headers if each[0] not in names]
