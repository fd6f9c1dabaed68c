"""Reads an installer's site file; every error names the table and the key."""

import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit
from uuid import UUID

from gate_bridge.agent.site.lane_table import DEVICE_NAME, read_lane
from gate_bridge.agent.site.makers import FRAMES
from gate_bridge.agent.site.settings import (
    BARRIER_CONTACTS,
    BridgeSettings,
    BrokerSettings,
    LaneSettings,
    ListenerSettings,
    LoopKind,
    Site,
    SiteDevice,
)
from gate_bridge.agent.site.shared_barriers import are_sharing, share_barriers
from gate_bridge.agent.site.toml_table import Table
from gate_bridge.agent.site.zones import read_zone
from gate_bridge.drivers.port import DeviceSettings
from parking.kit.errors import InvalidInputError

FILE_BYTES_MAX: Final = 1024 * 1024
LANES_MAX: Final = 64
DEVICES_MAX: Final = 256
BROKERS_MAX: Final = 8
NETWORKS_MAX: Final = 16
RECONNECT_S_MAX: Final = 300.0
_STREAM_SCHEMES: Final = ("rtsp", "rtsps", "http", "https")


def read_site(path: Path) -> Site:
    """Return what a site file says.

    Raises:
        InvalidInputError: naming the file, the table, the key, and what belongs there.
    """
    try:
        return _site(Table(_values(path), "", path.absolute().parent), path)
    except OSError as error:
        raise InvalidInputError(str(path), f"a file that can be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(str(path), f"TOML: {error}") from error
    except InvalidInputError as error:
        raise InvalidInputError(f"{path.name}: {error.field}", error.expected) from error


def _values(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        text = file.read(FILE_BYTES_MAX + 1)
    if len(text) > FILE_BYTES_MAX:
        raise InvalidInputError("file", f"at most {FILE_BYTES_MAX} bytes")
    return tomllib.loads(text.decode())


def _site(table: Table, path: Path) -> Site:
    name = table.text("name", path.stem)
    if not DEVICE_NAME.fullmatch(name):
        raise table.wrong("name", "small letters, digits and dashes")
    data = table.path("data") or path.absolute().parent
    bridge = _bridge(table.table("bridge") or _needed(table, "bridge"))
    lanes = [read_lane(lane, data) for lane in table.tables("lane", LANES_MAX)]
    brokers = [_broker(broker) for broker in table.tables("broker", BROKERS_MAX)]
    lanes = share_barriers(lanes)
    by_name = {lane.name: lane for lane in lanes}
    devices = [
        _device(device, by_name, {broker.name for broker in brokers})
        for device in table.tables("device", DEVICES_MAX)
    ]
    listener_table = table.table("listener")
    table.end()
    site = Site(
        name=name,
        messages=data / f"{name}.messages.sqlite",
        bridge=bridge,
        lanes=tuple(lanes),
        devices=tuple(devices),
        listener=None if listener_table is None else _listener(listener_table),
        brokers=tuple(brokers),
    )
    _check(site)
    return site


def _bridge(table: Table) -> BridgeSettings:
    bridge = BridgeSettings(
        url=table.text("url"),
        ca=table.existing("ca"),
        plain_allowed=table.flag("plain_allowed", default=False),
        reconnect_s_max=table.number("reconnect_s_max", 0.1, RECONNECT_S_MAX, 30.0),
    )
    table.end()
    return bridge


def _listener(table: Table) -> ListenerSettings:
    listener = ListenerSettings(
        host=table.text("host", "127.0.0.1"),
        port=table.integer("port", 0, 65535, 8090),
        certificate=table.existing("certificate"),
        key=table.existing("key"),
        client_ca=table.existing("client_ca"),
    )
    table.end()
    return listener


def _broker(table: Table) -> BrokerSettings:
    broker = BrokerSettings(
        name=table.text("name"),
        url=_address(table, "url", ("mqtt", "mqtts"), table.text("url")),
        username=table.text("username", ""),
        password=table.secret("password"),
        ca=table.existing("ca"),
    )
    table.end()
    return broker


def _device(table: Table, lanes: dict[str, LaneSettings], brokers: Collection[str]) -> SiteDevice:
    name = table.text("name")
    if not DEVICE_NAME.fullmatch(name) or name == BARRIER_CONTACTS:
        raise table.wrong("name", "small letters, digits and dashes; it is part of an address")
    lane = lanes.get(table.text("lane"))
    if lane is None:
        raise table.wrong("lane", f"the name of a lane: {', '.join(lanes) or 'there is none'}")
    away = table.text("lane_away", "")
    if away and not are_sharing(lanes, lane.name, away):
        raise table.wrong("lane_away", "the lane that shares its barrier with this one")
    username, password = table.text("username", ""), table.secret("password")
    if bool(username) is not bool(password):
        raise table.wrong("username", "a username with password_file, or neither")
    broker = table.text("broker", "")
    if broker and broker not in brokers:
        raise table.wrong("broker", "the name of one of [[broker]]")
    device = SiteDevice(
        settings=DeviceSettings(
            name=name,
            zone=read_zone(table, "zone"),
            username=username,
            password=password,
            token=table.secret("token"),
            options=table.options("options"),
        ),
        lane_id=lane.lane_id,
        driver=table.text("driver"),
        broker=broker or None,
        topic=_topic(table, broker),
        url=_address(table, "url", ("http", "https"), table.text("url", "")),
        sees_rear=table.choice("sees", ("front", "rear"), "front") == "rear",
        stream=_stream(table, username, password),
        allow_from=table.texts("allow_from", NETWORKS_MAX),
        digest=table.choice("digest", ("MD5", "SHA-256"), "MD5"),
        away_lane_id=lanes[away].lane_id if away else None,
    )
    table.end()
    return device


def _topic(table: Table, broker: str) -> str:
    topic = table.text("topic", "")
    if bool(topic) is not bool(broker):
        raise table.wrong("topic", "what the device publishes under, with broker; else neither")
    *above, last = topic.split("/")
    is_filter = all(not {"+", "#"} & {*level} or level == "+" for level in above)
    if not is_filter or (last not in {"+", "#"} and {"+", "#"} & {*last}):
        raise table.wrong("topic", "levels of their own for + and #, and # as the last one")
    return topic


def _stream(table: Table, username: str, password: str) -> str:
    stream = _address(table, "stream", _STREAM_SCHEMES, table.text("stream", ""))
    if not stream or not username:
        return stream
    scheme, _, rest = stream.partition("://")
    return f"{scheme}://{quote(username, safe='')}:{quote(password, safe='')}@{rest}"


def _address(table: Table, key: str, schemes: Iterable[str], address: str) -> str:
    if not address:
        return ""
    parts = urlsplit(address)
    if parts.scheme not in schemes or not parts.hostname:
        raise table.wrong(key, f"an address with {' or '.join(f'{name}://' for name in schemes)}")
    if parts.username or parts.password:
        raise table.wrong(key, "no credentials in it: username, and password_file beside it")
    return address


def _check(site: Site) -> None:
    """Refuse what fits in no table alone."""
    if not site.lanes:
        raise InvalidInputError("lane", "at least one [[lane]]")
    _unique("lane", "name", [lane.name for lane in site.lanes])
    _unique("lane", "id", [str(lane.lane_id) for lane in site.lanes])
    _unique("lane", "journal", [str(lane.journal) for lane in site.lanes])
    _unique("device", "name", [device.name for device in site.devices])
    _unique("broker", "name", [broker.name for broker in site.brokers])
    for index, lane in enumerate(site.lanes, start=1):
        _check_lane(site, lane, f"lane[{index}]")
    for index, device in enumerate(site.devices, start=1):
        is_posting = device.broker is None and device.driver != FRAMES
        if is_posting and site.listener is None:
            raise InvalidInputError("listener", f"a table [listener]: {device.name} posts to it")
        if device.driver == FRAMES and not device.stream:
            raise InvalidInputError(f"device[{index}].stream", "the address of its pictures")


def _check_lane(site: Site, lane: LaneSettings, where: str) -> None:
    own = {device.name for device in site.devices if device.lane_id == lane.lane_id}
    readers = _readers(site, lane.lane_id)
    if lane.loop is LoopKind.CAMERA and not readers:
        raise InvalidInputError(f"{where}.loop", "a device that reads plates, or a contact")
    for use, contact in lane.contacts.items():
        if contact.device not in own:
            raise InvalidInputError(
                f"{where}.contacts.{use.value}", f"barrier, or a device of this lane: {sorted(own)}"
            )
    if lane.shares is None and lane.barrier.device not in {None, *own}:
        raise InvalidInputError(f"{where}.barrier.device", f"a device of this lane: {sorted(own)}")


def _readers(site: Site, lane_id: UUID) -> list[SiteDevice]:
    return [
        device
        for device in site.devices
        if lane_id in {device.lane_id, device.away_lane_id} and device.driver != FRAMES
    ]


def _unique(table: str, key: str, values: list[str]) -> None:
    for index, value in enumerate(values, start=1):
        if value in values[: index - 1]:
            raise InvalidInputError(f"{table}[{index}].{key}", f"{value!r} only once")


def _needed(table: Table, key: str) -> Table:
    raise table.missing(key, f"a table [{key}]")
