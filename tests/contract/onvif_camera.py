"""A camera with a pull point, as far as its clients can tell."""

import base64
import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gate_bridge.drivers.xml import XmlNode, read_xml

USERNAME = "gate"
PASSWORD = "p&ss<word>"
_PROOF_AGE = timedelta(seconds=5)


def notification(plate: str, at: str) -> str:
    """Return one event about a plate."""
    return (
        '<n:NotificationMessage xmlns:n="http://docs.oasis-open.org/wsn/b-2">'
        "<n:Topic>tns1:RuleEngine/Vehicle</n:Topic><n:Message>"
        f'<t:Message xmlns:t="http://www.onvif.org/ver10/schema" UtcTime="{at}">'
        f'<t:Data><t:SimpleItem Name="PlateNumber" Value="{plate}"/>'
        '<t:SimpleItem Name="Likelihood" Value="90"/></t:Data>'
        "</t:Message></n:Message></n:NotificationMessage>"
    )


class OnvifCamera:
    """Answers what a client asks; its clock is `ahead` of ours.

    Attributes:
        asked: The requests that were let in, by their name, in order.
        refused: How many could not prove the password.
        events: What the next answers hold, one each; then they are empty.
        pull_point: Where it says that its events are.
    """

    def __init__(self, address: str, now: Callable[[], datetime], ahead: timedelta) -> None:
        self._address = address
        self._now = now
        self._ahead = ahead
        self.asked: list[str] = []
        self.refused = 0
        self.events: list[str] = []
        # Cameras behind a router name themselves by an address that nobody reaches.
        self.pull_point = "http://192.0.2.7/pull/4"
        self.broken = threading.Event()
        routes = [
            Route("/onvif/{name:path}", self._answer, methods=["POST"]),
            Route("/pull/{number:int}", self._answer, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes)

    def device_now(self) -> datetime:
        return self._now() + self._ahead

    async def _answer(self, request: Request) -> Response:
        body = next(read_xml(await request.body()).every("Body")).children[0]
        root = read_xml(await request.body())
        if body.name != "GetSystemDateAndTime" and not self._proves(root):
            self.refused += 1
            return Response(_envelope("<Fault/>"), 400)
        self.asked.append(body.name)
        if self.broken.is_set():
            return Response("no", 500)
        return Response(_envelope(self._told(body)), media_type="application/soap+xml")

    def _told(self, body: XmlNode) -> str:
        match body.name:
            case "GetSystemDateAndTime":
                return _clock(self.device_now())
            case "CreatePullPointSubscription":
                return (
                    "<CreatePullPointSubscriptionResponse><SubscriptionReference>"
                    f"<Address>{self.pull_point}</Address>"
                    "</SubscriptionReference></CreatePullPointSubscriptionResponse>"
                )
            case "PullMessages":
                events = self.events.pop(0) if self.events else ""
                return f"<PullMessagesResponse>{events}</PullMessagesResponse>"
            case _:
                return f"<{body.name}Response/>"

    def _proves(self, root: XmlNode) -> bool:
        token = next(root.every("UsernameToken"), None)
        if token is None or token.text_of("Username") != USERNAME:
            return False
        created = token.text_of("Created")
        nonce = base64.b64decode(token.text_of("Nonce"))
        content = nonce + created.encode() + PASSWORD.encode()
        digest = hashlib.sha1(content, usedforsecurity=False).digest()
        age = abs(self.device_now() - datetime.fromisoformat(created).astimezone(UTC))
        is_right = base64.b64encode(digest).decode() == token.text_of("Password")
        return is_right and age <= _PROOF_AGE


def _clock(now: datetime) -> str:
    return (
        "<GetSystemDateAndTimeResponse><SystemDateAndTime><UTCDateTime>"
        f"<Time><Hour>{now.hour}</Hour><Minute>{now.minute}</Minute>"
        f"<Second>{now.second}</Second></Time>"
        f"<Date><Year>{now.year}</Year><Month>{now.month}</Month><Day>{now.day}</Day></Date>"
        "</UTCDateTime></SystemDateAndTime></GetSystemDateAndTimeResponse>"
    )


def _envelope(body: str) -> str:
    return (
        '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope">'
        f"<e:Body>{body}</e:Body></e:Envelope>"
    )
