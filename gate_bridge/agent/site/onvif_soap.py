"""What an ONVIF pull point is asked, in SOAP, and how we prove who we are.

Source: ONVIF Core Specification ("Event handling"), WS-BaseNotification 1.3, and the Username
Token Profile 1.0 of WS-Security.
"""

import base64
import hashlib
import secrets
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape

from gate_bridge.drivers.xml import XmlNode
from parking.kit.errors import InvalidInputError

CONTENT_TYPE: Final = "application/soap+xml; charset=utf-8"
_NONCE_BYTES: Final = 16
_EVENTS: Final = "http://www.onvif.org/ver10/events/wsdl"
_NOTIFICATION: Final = "http://docs.oasis-open.org/wsn"
_SECURITY: Final = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
)
_UTILITY: Final = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
)
_DIGEST: Final = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"
    "#PasswordDigest"
)
_BASE64: Final = (
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
)
CREATE: Final = f"{_EVENTS}/EventPortType/CreatePullPointSubscriptionRequest"
PULL: Final = f"{_EVENTS}/PullPointSubscription/PullMessagesRequest"
RENEW: Final = f"{_NOTIFICATION}/bw-2/SubscriptionManager/RenewRequest"
UNSUBSCRIBE: Final = f"{_NOTIFICATION}/bw-2/SubscriptionManager/UnsubscribeRequest"


def clock_question() -> bytes:
    """Return the question for the device's time, which nobody has to prove anything for."""
    return _envelope(
        "",
        '<GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/>',
    )


def create(security: str, stay_s: int) -> bytes:
    """Return the request for a pull point that lives `stay_s` unless it is renewed."""
    body = (
        f'<CreatePullPointSubscription xmlns="{_EVENTS}">'
        f"<InitialTerminationTime>PT{stay_s}S</InitialTerminationTime>"
        "</CreatePullPointSubscription>"
    )
    return _envelope(security, body)


def pull(security: str, address: str, wait_s: int, messages_max: int) -> bytes:
    """Return the request for events; the device answers once there are some, or after `wait_s`."""
    body = (
        f'<PullMessages xmlns="{_EVENTS}"><Timeout>PT{wait_s}S</Timeout>'
        f"<MessageLimit>{messages_max}</MessageLimit></PullMessages>"
    )
    return _envelope(security + _addressed(PULL, address), body)


def renew(security: str, address: str, stay_s: int) -> bytes:
    """Return the request to let the pull point live on."""
    body = (
        f'<Renew xmlns="{_NOTIFICATION}/b-2"><TerminationTime>PT{stay_s}S</TerminationTime></Renew>'
    )
    return _envelope(security + _addressed(RENEW, address), body)


def unsubscribe(security: str, address: str) -> bytes:
    """Return the request to end the pull point: devices have few."""
    body = f'<Unsubscribe xmlns="{_NOTIFICATION}/b-2"/>'
    return _envelope(security + _addressed(UNSUBSCRIBE, address), body)


def security_header(username: str, password: str, device_now: datetime) -> str:
    """Return the proof that we know the password, good for one request.

    Args:
        username: Empty for a device that asks for none.
        password: Never sent: a digest of it is.
        device_now: By the device's clock, which judges how old the proof is.
    """
    if not username:
        return ""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    created = device_now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # SHA-1 is what the profile prescribes.
    digest = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False)
    return (
        f'<w:Security xmlns:w="{_SECURITY}" s:mustUnderstand="true"><w:UsernameToken>'
        f"<w:Username>{escape(username)}</w:Username>"
        f'<w:Password Type="{_DIGEST}">{_base64(digest.digest())}</w:Password>'
        f'<w:Nonce EncodingType="{_BASE64}">{_base64(nonce)}</w:Nonce>'
        f'<u:Created xmlns:u="{_UTILITY}">{created}</u:Created>'
        "</w:UsernameToken></w:Security>"
    )


def device_time(answer: XmlNode) -> datetime:
    """Return the time that a device answered with.

    Raises:
        InvalidInputError: there is none in it.
    """
    told = next(answer.every("UTCDateTime"), None)
    if told is None:
        raise InvalidInputError("UTCDateTime", "the device's time")
    numbers = [
        told.text_of(part, name)
        for part, names in (
            ("Date", ("Year", "Month", "Day")),
            ("Time", ("Hour", "Minute", "Second")),
        )
        for name in names
    ]
    try:
        year, month, day, hour, minute, second = (int(number) for number in numbers)
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise InvalidInputError("UTCDateTime", "a date and a time in numbers") from None


def subscription_address(answer: XmlNode) -> str:
    """Return where the pull point is, as the device says.

    Raises:
        InvalidInputError: it does not say.
    """
    reference = next(answer.every("SubscriptionReference"), None)
    address = "" if reference is None else reference.text_of("Address")
    if not address:
        raise InvalidInputError("SubscriptionReference.Address", "the pull point's address")
    return address


def _addressed(action: str, address: str) -> str:
    return (
        f'<a:Action xmlns:a="http://www.w3.org/2005/08/addressing">{action}</a:Action>'
        f'<a:To xmlns:a="http://www.w3.org/2005/08/addressing">{escape(address)}</a:To>'
    )


def _envelope(header: str, body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
