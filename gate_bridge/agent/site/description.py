"""Says in words what a site file sets up."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from gate_bridge.agent.machines.contacts import ContactUse
from gate_bridge.agent.site.makers import FRAMES
from gate_bridge.agent.site.settings import (
    LaneSettings,
    ListenerSettings,
    LoopKind,
    Site,
    SiteDevice,
)


def describe(site: Site) -> list[str]:
    """Return lines for the installer; no secret is in them."""
    lines = [f"site {site.name}: bridge {site.bridge.url}, messages in {site.messages}"]
    for lane in site.lanes:
        lines += _lane(site, lane)
    return lines


def _lane(site: Site, lane: LaneSettings) -> Iterator[str]:
    proof = "a device token" if lane.certificate is None else f"certificate {lane.certificate}"
    yield f"lane {lane.name} ({lane.lane_id}): proves itself by {proof}, journal {lane.journal}"
    if lane.loop is LoopKind.CONTACT:
        yield "  a car is there: while its loop says so"
    else:
        yield f"  a car is there: from its read on, for at most {lane.stay_s:g} s without another"
    at = f" at {lane.barrier.url}" if lane.barrier.url else ""
    by = f" of {lane.barrier.device}" if lane.barrier.device else ""
    if lane.shares:
        yield f"  shares the arm of {lane.shares}, the other way round: one car at a time"
    yield f"  the arm rises by: {lane.barrier.driver}{by}{at}"
    yield f"  known of the arm: {_arm(lane)}"
    for device in site.devices:
        if device.lane_id == lane.lane_id:
            yield f"  {_device(site, device)}"
        elif device.away_lane_id == lane.lane_id:
            yield f"  {device.name}, for cars that it sees drive away"


def _arm(lane: LaneSettings) -> str:
    uses = lane.wiring.uses - {ContactUse.LOOP}
    if not uses:
        return "nothing; it counts as opened once it is pulsed"
    return ", ".join(sorted(use.value for use in uses))


def _device(site: Site, device: SiteDevice) -> str:
    parts = [f"{device.name} ({device.driver})"]
    if device.broker is not None:
        parts.append(f"publishes {device.topic} to {device.broker}")
    elif device.driver != FRAMES:
        parts.append(f"posts to {_address(site.listener, device.name)}, {_proof(device)}")
    if device.stream:
        address = urlsplit(device.stream)
        parts.append(f"pictures from {address.scheme}://{address.hostname}")
    if device.sees_rear:
        parts.append("sees cars from behind")
    return "; ".join([*parts, f"its clock shows {device.settings.zone}"])


def _address(listener: ListenerSettings | None, name: str) -> str:
    if listener is None:
        return "nobody"
    scheme = "http" if listener.certificate is None else "https"
    return f"{scheme}://{listener.host}:{listener.port}/devices/{name}"


def _proof(device: SiteDevice) -> str:
    if device.settings.username:
        return f"by HTTP Digest as {device.settings.username}"
    if device.settings.token:
        return "by its token"
    return f"from {', '.join(device.allow_from) or 'anywhere, by its certificate'}"
