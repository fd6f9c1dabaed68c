"""One connection to an MQTT broker whose messages are acknowledged by hand.

MQTT libraries acknowledge a message once it is handed over. A message that was not on the disk
by then would be lost with the process, so that here nothing is acknowledged before it is kept.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gate_bridge.agent.site.settings import BrokerSettings
from parking.kit.errors import InvalidInputError

PLAIN_PORT: Final = 1883
TLS_PORT: Final = 8883
_PORTS: Final = {"mqtt": PLAIN_PORT, "mqtts": TLS_PORT}


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttLimits:
    """What one connection waits for, keeps and takes.

    Attributes:
        answer_s_max: Time the broker has for each answer, and for the connection itself.
        keepalive_s: A broker that is silent for twice as long counts as away.
        session_s: How long the broker keeps messages for us while we are away.
        unacknowledged_max: Messages that the broker sends before it waits for us.
        queue_max: Messages that wait here. Those sent with QoS 0 beyond it are dropped.
        message_bytes_max: The broker keeps larger ones to itself.
    """

    answer_s_max: float = 5.0
    keepalive_s: int = 10
    session_s: int = 86_400
    unacknowledged_max: int = 20
    queue_max: int = 256
    message_bytes_max: int = 8 * 1024 * 1024


class MqttClient(aiomqtt.Client):
    """A connection with a session that outlives it.

    Args:
        identifier: Names the session; two connections with one name push each other out.
    """

    def __init__(self, settings: BrokerSettings, identifier: str, limits: MqttLimits) -> None:
        host, port, tls = _address(settings)
        super().__init__(
            host,
            port,
            identifier=identifier,
            username=settings.username or None,
            password=settings.password or None,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            tls_context=tls,
            timeout=limits.answer_s_max,
            keepalive=limits.keepalive_s,
            max_queued_incoming_messages=limits.queue_max,
            properties=_properties(
                PacketTypes.CONNECT,
                {
                    "SessionExpiryInterval": limits.session_s,
                    "ReceiveMaximum": limits.unacknowledged_max,
                    "MaximumPacketSize": limits.message_bytes_max,
                },
            ),
        )
        self._client.manual_ack_set(on=True)

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """Tell the broker that it need not keep the message any longer."""
        self._client.ack(message.mid, message.qos)

    async def publish_live(self, topic: str, body: bytes, expires_s: int) -> None:
        """Send a message that nobody keeps: QoS 0, not retained, for those who listen now.

        Raises:
            aiomqtt.MqttError: the connection is gone; nothing was sent.
        """
        expiry = _properties(PacketTypes.PUBLISH, {"MessageExpiryInterval": expires_s})
        await self.publish(topic, body, qos=0, retain=False, properties=expiry)

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[Self, None]:
        """Connect, and let go of the connection whatever happens.

        Raises:
            aiomqtt.MqttError: the broker does not answer, or refuses.
        """
        entering = asyncio.ensure_future(self.__aenter__())
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            # The connection is made in a thread that nothing cancels.
            with contextlib.suppress(aiomqtt.MqttError):
                await entering
            self._client.disconnect()
            raise
        except aiomqtt.MqttError:
            self._client.disconnect()
            raise
        try:
            yield self
        finally:
            with contextlib.suppress(aiomqtt.MqttError):
                await self.__aexit__(None, None, None)


def check_address(settings: BrokerSettings) -> None:
    """Refuse an address that cannot work.

    Raises:
        InvalidInputError: naming the broker's `url`.
    """
    parts = urlsplit(settings.url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/"):
        expected = "mqtt://host:1883 or mqtts://host:8883"
        raise InvalidInputError(f"{settings.name}.url", expected)
    try:
        _ = parts.port
    except ValueError:
        expected = "a port from 1 to 65535"
        raise InvalidInputError(f"{settings.name}.url", expected) from None


def _address(settings: BrokerSettings) -> tuple[str, int, ssl.SSLContext | None]:
    check_address(settings)
    parts = urlsplit(settings.url)
    tls = _tls(settings) if parts.scheme == "mqtts" else None
    return parts.hostname or "", parts.port or _PORTS[parts.scheme], tls


def _tls(settings: BrokerSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca)
    context.sslsocket_class = _ClosedOnRefusal
    return context


class _ClosedOnRefusal(ssl.SSLSocket):
    """The library forgets a connection whose handshake failed, and so leaves it open."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as inherited
        """Shake hands, or close."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _properties(kind: int, values: Mapping[str, int]) -> Properties:
    properties = Properties(kind)
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
