"""An MQTT broker that devices publish to: what they say comes in, commands go out.

In: QoS 1 within a session that the broker keeps while we are away. A message is acknowledged
once it is stored, so that what is published with QoS 1 arrives at least once. Whatever waited at
the broker is marked late (`drivers/lateness.py`).

Out: QoS 0, only while connected, never kept by the broker, each with a wait for the device's own
reply. No transport prevents that a frozen broker or device takes a command late: see
`machines/vzenith_mqtt.py` for what is done about it.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import aiomqtt
import structlog

from gate_bridge.agent.backoff import full_jitter_s
from gate_bridge.agent.errors import BrokerAwayError, ReplyMissingError
from gate_bridge.agent.site.intake import Intake
from gate_bridge.agent.site.mqtt_client import MqttClient, MqttLimits
from gate_bridge.agent.site.settings import BrokerSettings, SiteDevice
from gate_bridge.drivers.lateness import LATE
from gate_bridge.drivers.port import DeviceMessage
from parking.kit.clock import Clock
from parking.kit.errors import ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

REQUESTS_MAX: Final = 64
_STORED_QOS: Final = 1
_REPLY_QOS: Final = 0

ReplyCheck = Callable[[bytes], bool]
"""Says whether a reply belongs to the command that waits."""


@dataclass(eq=False, slots=True)
class _Waiting:
    topic: str
    is_reply: ReplyCheck
    reply: asyncio.Future[bytes] = field(default_factory=asyncio.Future[bytes])


class Broker:
    """Keeps one broker connected for as long as `run` runs.

    Args:
        settings: Where the broker is.
        site: The site's name: the session at the broker is named after it.
        devices: Those of this broker; each has the topics that it publishes under.
        intake: Takes what they publish.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        site: str,
        devices: Sequence[SiteDevice],
        intake: Intake,
        clock: Clock,
        limits: MqttLimits | None = None,
        reconnect_s_max: float = 30.0,
    ) -> None:
        self._settings = settings
        self._identifier = f"sesame-{site}-{settings.name}"
        self._devices = tuple(devices)
        self._intake = intake
        self._clock = clock
        self._limits = limits or MqttLimits()
        self._reconnect_s_max = reconnect_s_max
        self._reply_topics: set[str] = set()
        self._answered: set[str] = set()
        self._waiting: set[_Waiting] = set()
        self._client: MqttClient | None = None
        self._marker = b""
        self._is_settled = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """Return whether commands can be sent now."""
        return self._client is not None

    async def settled(self) -> None:
        """Wait until what the broker kept for us has come, so that the rest is fresh."""
        await self._is_settled.wait()

    def expect(self, reply_topic: str) -> None:
        """Subscribe to where a device answers commands, at the latest with the first of them."""
        self._reply_topics.add(reply_topic)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        tries = 0
        while True:
            try:
                async with self._connection() as client:
                    tries = 0
                    await self._take_in(client)
            except aiomqtt.MqttError as error:
                _log.warning("broker_away", broker=self._settings.name, error=str(error))
            except ParkingError as error:
                # No room to store: unacknowledged, the broker keeps the message for the next try.
                _log.warning("broker_left", broker=self._settings.name, error=str(error))
            except Exception:  # noqa: BLE001 - the loop of the process
                # Whatever it was, devices are to be heard again.
                _log.exception("broker_failed", broker=self._settings.name)
            await asyncio.sleep(full_jitter_s(tries, self._reconnect_s_max))
            tries += 1

    async def request(
        self, topic: str, reply_topic: str, body: bytes, is_reply: ReplyCheck, timeout_s: float
    ) -> bytes:
        """Send a command to a device that listens now, and return its reply.

        Raises:
            BrokerAwayError: it was certainly not sent.
            ReplyMissingError: it was sent, and nobody can say what became of it.
        """
        client = self._client
        if client is None or len(self._waiting) >= REQUESTS_MAX:
            raise BrokerAwayError(self._settings.name)
        waiting = _Waiting(reply_topic, is_reply)
        self._waiting.add(waiting)
        try:
            await self._send(client, topic, reply_topic, body, timeout_s)
            return await asyncio.wait_for(waiting.reply, timeout_s)
        except TimeoutError:
            raise ReplyMissingError(self._settings.name) from None
        finally:
            self._waiting.discard(waiting)

    async def _send(
        self, client: MqttClient, topic: str, reply_topic: str, body: bytes, timeout_s: float
    ) -> None:
        try:
            if reply_topic not in self._answered:
                # A lane that began after this connection did.
                self._reply_topics.add(reply_topic)
                await client.subscribe(reply_topic, _REPLY_QOS, timeout=timeout_s)
                self._answered.add(reply_topic)
            await client.publish_live(topic, body, expires_s=max(1, int(timeout_s)))
        except aiomqtt.MqttError:
            raise BrokerAwayError(self._settings.name) from None

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncGenerator[MqttClient, None]:
        client = MqttClient(self._settings, self._identifier, self._limits)
        self._is_settled.clear()
        async with client.connected():
            # Before the subscriptions: the broker sends at once what it kept.
            self._marker = uuid4().bytes
            await self._subscribe(client)
            self._client = client
            try:
                yield client
            finally:
                self._client = None
                for waiting in self._waiting:
                    if not waiting.reply.done():
                        waiting.reply.set_exception(ReplyMissingError(self._settings.name))

    async def _subscribe(self, client: MqttClient) -> None:
        topics = [(device.topic, _STORED_QOS) for device in self._devices if device.topic]
        self._answered = set(self._reply_topics)
        topics += [(topic, _REPLY_QOS) for topic in sorted(self._answered)]
        answers = await client.subscribe([*topics, (self._own_topic, _STORED_QOS)])
        refused = [
            topic
            for (topic, _), answer in zip(topics, answers, strict=False)
            if not isinstance(answer, int) and answer.is_failure
        ]
        if refused:
            _log.error("broker_refuses_topics", broker=self._settings.name, topics=refused)
        # It comes back behind everything that the broker kept for this session.
        await client.publish(self._own_topic, self._marker, qos=_STORED_QOS)

    @property
    def _own_topic(self) -> str:
        return f"sesame/settled/{self._identifier}"

    async def _take_in(self, client: MqttClient) -> None:
        async for message in client.messages:
            if message.topic.value == self._own_topic:
                self._come_to_own(message)
            elif not self._is_answer(message):
                await self._keep(client, message)
                continue
            client.acknowledge(message)

    def _come_to_own(self, message: aiomqtt.Message) -> None:
        if message.payload == self._marker:
            self._is_settled.set()

    def _is_answer(self, message: aiomqtt.Message) -> bool:
        topic = message.topic.value
        for waiting in self._waiting:
            is_open = waiting.topic == topic and not waiting.reply.done()
            if is_open and waiting.is_reply(message.payload):
                waiting.reply.set_result(message.payload)
        return topic in self._reply_topics

    async def _keep(self, client: MqttClient, message: aiomqtt.Message) -> None:
        # Some brokers send retained messages only when they find the time.
        is_late = message.retain or not self._is_settled.is_set()
        told = DeviceMessage(
            target=message.topic.value,
            headers=LATE if is_late else {},
            body=message.payload,
            received_at=self._clock.now(),
        )
        names = [device.name for device in self._devices if message.topic.matches(device.topic)]
        stored = [await self._intake.keep(name, told) for name in names]
        # Only now: until here the broker would send it again to whoever takes our place.
        client.acknowledge(message)
        for stored_id in stored:
            await self._intake.act(stored_id)
