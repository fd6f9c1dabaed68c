"""What the stand-ins for SMS and for pushes have received."""

import re
from dataclasses import dataclass
from typing import Any, Final

import httpx

TIMEOUT_S: Final = 10.0
_CODE: Final = re.compile(r"\b\d{7}\b")


@dataclass(frozen=True, slots=True)
class Push:
    """One push as it reached a phone; `kind` is the event's name."""

    target: str
    kind: str
    title: str
    body: str
    session_id: str


class SmsInbox:
    """The text messages of every number."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def last_code(self, number: str) -> str:
        """Return the code in the newest message to a number."""
        answer = await self._client.get("/_messages", params={"to": number})
        messages = answer.raise_for_status().json()["messages"]
        found = _CODE.search(messages[-1]["text"]) if messages else None
        if found is None:
            raise ValueError(f"{number} has no message with a code")
        return found.group()


class PushInbox:
    """The pushes to every phone."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def pushes(self) -> list[Push]:
        """Return what was delivered, oldest first."""
        answer = await self._client.get("/_log")
        entries = answer.raise_for_status().json()["messages"]
        return [_push(entry["message"]) for entry in entries if entry["outcome"] == "taken"]

    async def forget(self) -> None:
        """Drop what was delivered so far: a demo of many hours must not keep all of it."""
        (await self._client.post("/_control", json={"clear": True})).raise_for_status()


def _push(message: dict[str, Any]) -> Push:
    data, shown = message.get("data", {}), message.get("notification", {})
    return Push(
        target=message.get("fid") or message.get("token", ""),
        kind=data.get("type", ""),
        title=shown.get("title", ""),
        body=shown.get("body", ""),
        session_id=data.get("session_id", ""),
    )
