"""What `sesame gates` prints: a table for people, JSON for programs."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from parking.flows.fleet.reading import Fleet
from parking.flows.fleet.status import LaneState, LaneStatus, Problem
from parking.lanes.health import DeviceSignal

_SECOND: Final = timedelta(seconds=1)
_SECOND_MS: Final = 1000
_UNITS: Final = (("d", 86_400), ("h", 3600), ("min", 60))
_MARKS: Final = {
    LaneState.CONNECTED: Text("●", "green"),
    LaneState.NOT_SEEN: Text("●", "red"),
    LaneState.DISCONNECTED: Text("○", "red"),
    LaneState.NEVER: Text("○", "bright_black"),
}
_WORDS: Final = {
    Problem.NEVER_CONNECTED: "never connected",
    Problem.DISCONNECTED: "disconnected",
    Problem.NOT_SEEN: "not seen",
    Problem.CERTIFICATE_EXPIRED: "certificate expired",
    Problem.COMMANDS_UNANSWERED: "orders unanswered",
    Problem.CLOCK_UNKNOWN: "clock unknown",
    Problem.CLOCK_OFF: "clock off",
    Problem.QUEUE_WAITS: "events wait",
    Problem.DEVICE_SILENT: "device silent",
    Problem.CERTIFICATE_EXPIRES: "certificate expires",
}
_MILD: Final = frozenset({Problem.CERTIFICATE_EXPIRES, Problem.DEVICE_SILENT, Problem.QUEUE_WAITS})

Cell = Callable[[LaneStatus], Text]


def report(fleet: Fleet, *, only_problems: bool = False) -> dict[str, Any]:
    """Return the fleet as one JSON object; docs/gates/fleet.md describes it.

    Args:
        fleet: Everything that was read; the sums are about all of it.
        only_problems: Whether to list only lanes with problems.
    """
    shown = _shown(fleet, only_problems=only_problems)
    states = Counter(lane.state for lane in fleet.lanes)
    problems = Counter(problem for lane in fleet.lanes for problem in lane.problems)
    return {
        "taken_at": fleet.taken_at.isoformat(),
        "lanes_total": len(fleet.lanes),
        "is_whole": fleet.is_whole,
        "lanes_with_problems": sum(bool(lane.problems) for lane in fleet.lanes),
        "states": {state.value: states[state] for state in LaneState},
        "problems": {problem.value: problems[problem] for problem in Problem},
        "bridges": dict(sorted(_bridges(fleet).items())),
        "lanes": [_lane(lane) for lane in shown],
    }


def show(
    fleet: Fleet, width: int, *, place: str | None = None, only_problems: bool = False
) -> RenderableType:
    """Return the fleet as a table that fits `width` columns, below a line of sums.

    Args:
        fleet: Everything that was read.
        width: Of the terminal.
        place: What was asked for; None for all places.
        only_problems: Whether to list only lanes with problems.
    """
    if not fleet.lanes and place is not None:
        return Text("No place with lanes has this id, or this in its name.", "bold red")
    if not fleet.lanes:
        return Text("No lane is here. `sesame place add` makes one.", "bright_black")
    parts: list[RenderableType] = [_summary(fleet)]
    shown = _shown(fleet, only_problems=only_problems)
    if shown:
        parts.append(_table(shown, width))
    if not fleet.is_whole:
        parts.append(Text(f"The first {len(fleet.lanes)} lanes only; --place shows fewer."))
    return Group(*parts)


def _shown(fleet: Fleet, *, only_problems: bool) -> tuple[LaneStatus, ...]:
    return tuple(lane for lane in fleet.lanes if lane.problems or not only_problems)


def _summary(fleet: Fleet) -> Text:
    connected = sum(lane.state is LaneState.CONNECTED for lane in fleet.lanes)
    troubled = sum(bool(lane.problems) for lane in fleet.lanes)
    total, bridges = len(fleet.lanes), len(_bridges(fleet))
    return Text.assemble(
        (f"{connected} of {total} connected", "green" if connected == total else "bold red"),
        f" · {bridges} bridge{'' if bridges == 1 else 's'} · ",
        (f"{troubled} with problems", "bold red") if troubled else ("no problems", "green"),
    )


def _bridges(fleet: Fleet) -> Counter[str]:
    return Counter(
        lane.contact.bridge
        for lane in fleet.lanes
        if lane.contact is not None and lane.state is LaneState.CONNECTED
    )


def _table(lanes: tuple[LaneStatus, ...], width: int) -> Table:
    columns = dict(_COLUMNS)
    for columns_min, more in _MORE_COLUMNS.items():
        columns |= more if width >= columns_min else {}
    if len({lane.operator_id for lane in lanes}) > 1:
        columns = {"": _mark, "Operator": _operator} | columns
    cells = {name: [cell(lane) for lane in lanes] for name, cell in columns.items()}
    widths = _widths(cells, width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, column_width in widths.items():
        table.add_column(
            name,
            overflow="fold",
            no_wrap=name not in _FOLDED,
            width=column_width,
            justify="right" if name in _RIGHT else "left",
        )
    for row in zip(*(cells[name] for name in widths), strict=True):
        table.add_row(*row)
    return table


def _widths(cells: Mapping[str, Sequence[Text]], width: int) -> dict[str, int]:
    """Return the columns that fit, each with its width; from the right, others are left out.

    What may be long is folded; a figure that is cut off would be another figure.
    """
    wanted = {
        name: max(cell_len(name), *(cell.cell_len for cell in column))
        for name, column in cells.items()
    }
    found = {name: min(wide, _FOLDED.get(name, wide)) for name, wide in wanted.items()}
    while len(found) > _COLUMNS_KEPT and _total(found) > width:
        found.popitem()
    for _ in range(width - _total(found)):
        folded = [name for name in found if found[name] < wanted[name]]
        if folded:
            found[min(folded, key=found.__getitem__)] += 1
    return found


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _BETWEEN * len(widths)


def _mark(lane: LaneStatus) -> Text:
    return _MARKS[lane.state]


def _operator(lane: LaneStatus) -> Text:
    return Text(_shown_text(lane.operator))


def _name(lane: LaneStatus) -> Text:
    arrow = "▶" if lane.direction == "entry" else "◀"
    place, name = _shown_text(lane.place), _shown_text(lane.lane)
    return Text.assemble((place, "bold"), " ", (arrow, "bright_black"), " ", name)


def _problem(lane: LaneStatus) -> Text:
    if not lane.problems:
        return Text("fine", "green")
    return Text(", ").join(
        Text(_WORDS[problem], "yellow" if problem in _MILD else "bold red")
        for problem in lane.problems
    )


def _seen(lane: LaneStatus) -> Text:
    if lane.contact is None:
        return _nothing()
    return Text(span(lane.taken_at - lane.contact.last_seen_at))


def _clock(lane: LaneStatus) -> Text:
    offset_ms = lane.condition.clock_offset_ms
    if offset_ms is None:
        return _nothing()
    style = "bold red" if Problem.CLOCK_OFF in lane.problems else ""
    sign, offset = "+" if offset_ms >= 0 else "-", abs(offset_ms)
    told = span(timedelta(milliseconds=offset)) if offset >= _SECOND_MS else f"{offset} ms"
    return Text(f"{sign}{told}", style)


def _queue(lane: LaneStatus) -> Text:
    depth = lane.condition.queue_depth
    if depth is None:
        return _nothing()
    oldest_at = lane.condition.oldest_queued_at
    age = "" if oldest_at is None else f", {span(lane.taken_at - oldest_at)}"
    return Text(f"{depth}{age}", "yellow" if depth else "")


def _orders(lane: LaneStatus) -> Text:
    count = lane.commands_unanswered
    return Text(str(count), "bold red" if count else "")


def _certificate(lane: LaneStatus) -> Text:
    expires_at = lane.certificate_expires_at
    if expires_at is None:
        return _nothing()
    left = expires_at - lane.taken_at
    is_near = {Problem.CERTIFICATE_EXPIRED, Problem.CERTIFICATE_EXPIRES} & {*lane.problems}
    style = "bold red" if is_near else ""
    return Text(span(left) if left > timedelta(0) else "expired", style)


def _barrier(lane: LaneStatus) -> Text:
    return Text(lane.condition.barrier) if lane.condition.barrier else _nothing()


def _devices(lane: LaneStatus) -> Text:
    told = [f"{device.name} {_signal(device, lane.taken_at)}" for device in lane.condition.devices]
    return Text(_shown_text(", ".join(told))) if told else _nothing()


def _policy(lane: LaneStatus) -> Text:
    version = lane.condition.policy_version
    return Text(_shown_text(version)) if version else _nothing()


def _agent(lane: LaneStatus) -> Text:
    return Text(_shown_text(lane.contact.agent_version)) if lane.contact else _nothing()


def _bridge(lane: LaneStatus) -> Text:
    return Text(_shown_text(lane.contact.bridge), "bright_black") if lane.contact else _nothing()


def _signal(device: DeviceSignal, taken_at: datetime) -> str:
    return "never" if device.last_signal_at is None else span(taken_at - device.last_signal_at)


def _shown_text(text: str) -> str:
    """Return what a gate or a person wrote, without what moves a terminal or turns its lines."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _nothing() -> Text:
    return Text("-", "bright_black")


def span(length: timedelta) -> str:
    """Return a length of time in its largest whole unit, such as `3 h`."""
    seconds = max(0, length // _SECOND)
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


_COLUMNS: Final[dict[str, Cell]] = {
    "": _mark,
    "Lane": _name,
    "Problem": _problem,
    "Seen": _seen,
    "Clock": _clock,
    "Queue": _queue,
    "Orders": _orders,
    "Cert.": _certificate,
}
# By the width of the terminal from which on they are shown.
_MORE_COLUMNS: Final[dict[int, dict[str, Cell]]] = {
    110: {"Barrier": _barrier, "Devices": _devices, "Policy": _policy},
    150: {"Agent": _agent, "Bridge": _bridge},
}
_RIGHT: Final = frozenset({"Seen", "Clock", "Queue", "Orders", "Cert."})
# Blanks and the line between two columns; and the columns that no terminal is too narrow for.
_BETWEEN: Final = 2
_COLUMNS_KEPT: Final = 4
# The least width of what is folded.
_FOLDED: Final = {
    "Operator": 8,
    "Lane": 12,
    "Problem": 12,
    "Devices": 14,
    "Agent": 10,
    "Bridge": 10,
}


def _lane(lane: LaneStatus) -> dict[str, Any]:
    contact, condition = lane.contact, lane.condition
    return {
        "operator_id": str(lane.operator_id),
        "operator": lane.operator,
        "place_id": str(lane.place_id),
        "place": lane.place,
        "lane_id": str(lane.lane_id),
        "lane": lane.lane,
        "direction": lane.direction.value,
        "state": lane.state.value,
        "problems": [problem.value for problem in lane.problems],
        "bridge": contact and contact.bridge,
        "session_epoch": contact and contact.session_epoch,
        "agent_version": contact and contact.agent_version,
        "connected_at": _time(contact and contact.connected_at),
        "last_seen_at": _time(contact and contact.last_seen_at),
        "disconnected_at": _time(contact and contact.ended_at),
        "close_code": contact and contact.close_code,
        "clock_offset_ms": condition.clock_offset_ms,
        "clock_uncertainty_ms": condition.clock_uncertainty_ms,
        "queue_depth": condition.queue_depth,
        "oldest_queued_at": _time(condition.oldest_queued_at),
        "commands_unanswered": lane.commands_unanswered,
        "certificate_expires_at": _time(lane.certificate_expires_at),
        "barrier": condition.barrier,
        "policy_version": condition.policy_version,
        "devices": [
            {
                "name": device.name,
                "last_signal_at": _time(device.last_signal_at),
                "clock_offset_ms": device.clock_offset_ms,
            }
            for device in condition.devices
        ],
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
