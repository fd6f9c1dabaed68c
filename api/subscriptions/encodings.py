"""Where what was executed for one subscriber of an update is kept for the others."""

from typing import Final

from api.request import RequestContext

ENCODINGS_MAX: Final = 16


class Encodings:
    """An update's executions: one for each document, however many sockets are sent it.

    Args:
        context: What the executions are made with. It is that of nobody, or of the one driver whom
            everybody who is sent the update is: nothing may depend on the single socket.
    """

    __slots__ = ("_payloads", "context")

    def __init__(self, context: RequestContext) -> None:
        self.context = context
        self._payloads: dict[object, str] | None = None

    def find(self, key: object) -> str | None:
        """Return the payload for a document with its variables, if it was executed."""
        return None if self._payloads is None else self._payloads.get(key)

    def keep(self, key: object, payload: str) -> None:
        """Keep a payload; beyond ENCODINGS_MAX each socket executes its own."""
        if self._payloads is None:
            self._payloads = {}
        if len(self._payloads) < ENCODINGS_MAX:
            self._payloads[key] = payload
