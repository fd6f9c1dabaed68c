"""Runs a whole site in one process: its lanes, its listener and its brokers."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from gate_bridge.agent.errors import BrokerAwayError
from gate_bridge.agent.machines.relay import Relay
from gate_bridge.agent.machines.shared_arm import SharedArm
from gate_bridge.agent.machines.vzenith_mqtt import Commander, ReplyCheck
from gate_bridge.agent.reports import Reporter
from gate_bridge.agent.site.barriers import lane_relay
from gate_bridge.agent.site.broker import Broker
from gate_bridge.agent.site.device_access import ListenedDevice
from gate_bridge.agent.site.device_line import DeviceLine
from gate_bridge.agent.site.identity import check_identity
from gate_bridge.agent.site.intake import Intake
from gate_bridge.agent.site.lane_desk import REPLY_WINDOW_S
from gate_bridge.agent.site.lane_host import LaneHost
from gate_bridge.agent.site.listener import Listener
from gate_bridge.agent.site.listener_server import ServedAt, serve_devices
from gate_bridge.agent.site.makers import device_driver
from gate_bridge.agent.site.message_store import MessageStore
from gate_bridge.agent.site.mqtt_client import check_address
from gate_bridge.agent.site.onvif_pull import OnvifPull, check_pulled, is_pulled
from gate_bridge.agent.site.settings import LaneSettings, ListenerSettings, Site, SiteDevice
from gate_bridge.agent.site.shared_place import SharedPlace, places_at
from gate_bridge.drivers.digest import DigestAlgorithm
from gate_bridge.drivers.port import PushDriver
from gate_bridge.loops import keep_running, stop_task
from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError

# Devices are listened to at the latest then, also where a lane does not begin.
LANES_START_S_MAX: Final = 15.0


class SiteHost:
    """Everything that one site file describes.

    Args:
        connections: An HTTP protocol of the server that bounds headers and a request's time.
        report: Is told what happens on every lane.
        reply_window_s: How long a camera waits for a reply that may open.

    Raises:
        InvalidInputError: naming the device or lane whose settings cannot be.
    """

    def __init__(
        self,
        site: Site,
        connections: type[asyncio.Protocol],
        clock: Clock,
        report: Reporter,
        reply_window_s: float = REPLY_WINDOW_S,
    ) -> None:
        self._site = site
        self._connections = connections
        self._clock = clock
        self._report = report
        self._reply_window_s = reply_window_s
        self._drivers = check_site(site, clock)
        self.port: int | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Serve the site until `stop` is set.

        Raises:
            JournalBusyError: another process serves it.
            InvalidInputError: the listener's address is taken.
        """
        self._site.messages.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        async with AsyncExitStack() as stack:
            store = await MessageStore.open(self._site.messages)
            stack.push_async_callback(store.close)
            lines = await self._lines(store)
            intake = Intake(store, lines, self._clock, self._reply_window_s)
            brokers = self._brokers(intake)
            arms = self._arms(brokers)
            for arm in arms.values():
                running = asyncio.create_task(keep_running("shared_arm", arm.run))
                stack.push_async_callback(stop_task, running)
            places = self._places(arms)
            lanes = [self._lane(lane, lines, intake, brokers, places) for lane in self._site.lanes]
            for host in lanes:
                stack.push_async_callback(stop_task, asyncio.create_task(host.run()))
            await _all_tried(lanes)
            # Before anything new: what was kept before a restart comes first, in its order.
            await intake.replay()
            replaying = asyncio.create_task(keep_running("replay", intake.run))
            stack.push_async_callback(stop_task, replaying)
            stack.push_async_callback(intake.close)
            pulls = [OnvifPull(device, intake, self._clock) for device in pulled(self._site)]
            for source in (*brokers.values(), *pulls):
                stack.push_async_callback(stop_task, asyncio.create_task(source.run()))
            if self._site.listener is not None:
                app, at = self._listener(intake), _served_at(self._site.listener)
                serving = serve_devices(app, at, self._connections)
                self.port = await stack.enter_async_context(serving)
            self._report({"event": "site_runs", "lanes": len(lanes), "port": self.port})
            await stop.wait()

    async def _lines(self, store: MessageStore) -> dict[str, DeviceLine]:
        clocks = await store.clocks()
        return {
            device.name: DeviceLine(device, self._drivers[device.name], clocks.get(device.name))
            for device in self._site.devices
            if device.name in self._drivers
        }

    def _brokers(self, intake: Intake) -> dict[str, Broker]:
        return {
            settings.name: Broker(
                settings,
                self._site.name,
                [device for device in self._site.devices if device.broker == settings.name],
                intake,
                self._clock,
            )
            for settings in self._site.brokers
        }

    def _lane(
        self,
        lane: LaneSettings,
        lines: Mapping[str, DeviceLine],
        intake: Intake,
        brokers: Mapping[str, Broker],
        places: Mapping[str, SharedPlace],
    ) -> LaneHost:
        own = {
            name: line
            for name, line in lines.items()
            if lane.lane_id in {line.device.lane_id, line.device.away_lane_id}
        }
        place = places.get(lane.name)
        return LaneHost(
            lane,
            self._site.bridge,
            own,
            intake,
            open_relay=lambda: (
                relay_of(self._site, lane, brokers, self._clock) if place is None else place.side
            ),
            streams={
                device.name: device.stream
                for device in self._site.devices
                if device.stream and lane.lane_id in {device.lane_id, device.away_lane_id}
            },
            clock=self._clock,
            report=self._report,
            place=place,
        )

    def _arms(self, brokers: Mapping[str, Broker]) -> dict[str, SharedArm]:
        """Return the arms that two lanes share, by the name of the lane that is the second one."""
        lanes = {lane.name: lane for lane in self._site.lanes}
        return {
            lane.name: SharedArm(
                relay_of(self._site, lanes[lane.shares], brokers, self._clock),
                lanes[lane.shares].wiring,
            )
            for lane in self._site.lanes
            if lane.shares is not None
        }

    def _places(self, arms: Mapping[str, SharedArm]) -> dict[str, SharedPlace]:
        places: dict[str, SharedPlace] = {}
        for lane in self._site.lanes:
            if lane.shares is not None:
                places[lane.shares], places[lane.name] = places_at(arms[lane.name])
        return places

    def _listener(self, intake: Intake) -> Listener:
        is_asked = self._site.listener is not None and self._site.listener.client_ca is not None
        return Listener(
            listened_devices(self._site, self._drivers),
            intake,
            self._clock,
            certificates_asked=is_asked,
        )


def check_site(site: Site, clock: Clock) -> dict[str, PushDriver]:
    """Look through everything that can be known before anything runs; return the drivers.

    Raises:
        InvalidInputError: naming the device or lane.
    """
    found = {device.name: device_driver(device) for device in site.devices}
    drivers = {name: driver for name, driver in found.items() if driver is not None}
    for device in pulled(site):
        check_pulled(device)
    for broker in site.brokers:
        check_address(broker)
    brokers = {broker.name: _NoCommander() for broker in site.brokers}
    for lane in site.lanes:
        check_identity(lane, site.bridge)
        relay_of(site, lane, brokers, clock)
    is_asked = site.listener is not None and site.listener.client_ca is not None
    for device in listened_devices(site, drivers):
        device.check(certificates_asked=is_asked)
    if site.listener is not None:
        _served_at(site.listener).check()
    return drivers


def listened_devices(site: Site, drivers: Mapping[str, PushDriver]) -> list[ListenedDevice]:
    """Return the devices that post."""
    return [
        ListenedDevice(
            settings=device.settings,
            driver=drivers[device.name],
            allow_from=tuple(_network(device.name, text) for text in device.allow_from),
            algorithm=DigestAlgorithm(device.digest),
        )
        for device in site.devices
        if device.broker is None and device.name in drivers and not is_pulled(device)
    ]


def pulled(site: Site) -> list[SiteDevice]:
    """Return the devices whose events are fetched."""
    return [device for device in site.devices if is_pulled(device)]


def relay_of(
    site: Site, lane: LaneSettings, brokers: Mapping[str, Commander], clock: Clock
) -> Relay:
    """Return what raises a lane's arm; nothing is connected yet."""
    device = next((item for item in site.devices if item.name == lane.barrier.device), None)
    return lane_relay(lane.barrier, device, brokers, clock, f"lane.{lane.name}.barrier")


async def _all_tried(lanes: list[LaneHost]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LANES_START_S_MAX):
            for lane in lanes:
                await lane.tried.wait()


def _served_at(listener: ListenerSettings) -> ServedAt:
    return ServedAt(
        host=listener.host,
        port=listener.port,
        certificate=listener.certificate,
        key=listener.key,
        client_ca=listener.client_ca,
    )


def _network(device: str, text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        expected = "networks such as 192.168.1.0/24"
        raise InvalidInputError(f"{device}.allow_from", expected) from None


class _NoCommander:
    """Stands for a broker while a site is only looked through."""

    async def request(
        self, topic: str, reply_topic: str, body: bytes, is_reply: ReplyCheck, timeout_s: float
    ) -> bytes:
        """Refuse."""
        del reply_topic, body, is_reply, timeout_s
        raise BrokerAwayError(topic)

    def expect(self, reply_topic: str) -> None:
        """Expect nothing."""
        del reply_topic
