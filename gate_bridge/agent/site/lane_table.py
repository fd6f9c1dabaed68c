"""Reads `[[lane]]` of a site file."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from gate_bridge.agent.displays.displays import DisplaySettings, open_display
from gate_bridge.agent.machines.contacts import RULE_S_MAX, ContactUse, RelayInput, Wiring
from gate_bridge.agent.offline.options import OfflineOptions
from gate_bridge.agent.site.settings import (
    BARRIER_CONTACTS,
    BarrierSettings,
    Contact,
    LaneSettings,
    LoopKind,
)
from gate_bridge.agent.site.toml_table import Table
from gate_bridge.wire.limits import DISPLAY_LINES_MAX

DEVICE_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")
INPUT_NUMBER_MAX: Final = 1023
OFFLINE_S_MAX: Final = 300.0
SHARED: Final = "shared"
STAY_S_MIN: Final = 10.0
STAY_S_MAX: Final = 900.0
_CONTACT: Final = re.compile(r"(!?)([a-z0-9-]+):(\d{1,4})")


def read_lane(table: Table, data: Path) -> LaneSettings:
    """Return one lane.

    Args:
        table: The lane's.
        data: Folder of the lanes' journals.

    Raises:
        InvalidInputError: naming the key.
    """
    name = table.text("name")
    if not DEVICE_NAME.fullmatch(name):
        raise table.wrong("name", "small letters, digits and dashes")
    token, certificate = table.secret("token"), table.existing("certificate")
    if bool(token) == (certificate is not None):
        raise table.wrong("certificate", "certificate (and key), or token_file in their place")
    loop = LoopKind(table.choice("loop", tuple(LoopKind)))
    shares = table.text("shares", "") or None
    if shares is not None:
        _check_shares(table, shares)
    contacts = {} if shares else _contacts(table.table("contacts"))
    lane = LaneSettings(
        lane_id=table.identifier("id"),
        name=name,
        journal=table.path("journal") or data / f"{name}.sqlite",
        loop=loop,
        barrier=BarrierSettings(driver=SHARED) if shares else _barrier(table),
        token=token,
        certificate=certificate,
        key=table.existing("key"),
        contacts={use: item for use, item in contacts.items() if item.device != BARRIER_CONTACTS},
        wiring=Wiring() if shares else _wiring(table.table("timing"), contacts, loop),
        offline=_offline(table.table("offline")),
        stay_s=table.number("stay_s", STAY_S_MIN, STAY_S_MAX, 120.0),
        display=_display(table.table("display")),
        shares=shares,
    )
    table.end()
    if shares is None:
        # After the other keys: a misspelt "shares" is no missing loop.
        _check_loop(table, loop, contacts)
    return lane


def _check_shares(table: Table, shares: str) -> None:
    for key in ("barrier", "contacts", "timing"):
        if table.has(key):
            raise table.wrong(
                key, f"nothing here: it stands at {shares}, whose barrier this lane shares"
            )


def _check_loop(table: Table, loop: LoopKind, contacts: Mapping[ContactUse, Contact]) -> None:
    if loop is LoopKind.CONTACT and ContactUse.LOOP not in contacts:
        raise table.wrong("contacts.loop", 'an input such as "barrier:0", or loop = "camera"')
    if loop is LoopKind.CAMERA and ContactUse.LOOP in contacts:
        raise table.wrong("contacts.loop", 'no input, or loop = "contact"')


def _barrier(lane: Table) -> BarrierSettings:
    table = lane.table("barrier")
    if table is None:
        raise lane.missing("barrier", "a table [lane.barrier], or shares = the other lane's name")
    username, password = table.text("username", ""), table.secret("password")
    if bool(username) is not bool(password):
        raise table.wrong("username", "a username with password_file, or neither")
    barrier = BarrierSettings(
        driver=table.text("driver"),
        url=table.text("url", ""),
        username=username,
        password=password,
        device=table.text("device", "") or None,
        options=table.options("options"),
    )
    table.end()
    return barrier


def _display(table: Table | None) -> DisplaySettings | None:
    if table is None:
        return None
    username, password = table.text("username", ""), table.secret("password")
    if bool(username) is not bool(password):
        raise table.wrong("username", "a username with password_file, or neither")
    display = DisplaySettings(
        driver=table.text("driver"),
        url=table.text("url"),
        username=username,
        password=password,
        idle=table.texts("idle", DISPLAY_LINES_MAX),
        options=table.options("options"),
    )
    table.end()
    open_display(display, table.where("display").removesuffix(".display"))
    return display


def _contacts(table: Table | None) -> dict[ContactUse, Contact]:
    if table is None:
        return {}
    contacts: dict[ContactUse, Contact] = {}
    inputs: dict[tuple[str, int], str] = {}
    for use in ContactUse:
        text = table.text(use.value, "")
        if text:
            contact = contacts[use] = _contact(table, use.value, text)
            named = inputs.setdefault((contact.device, contact.number), use.value)
            if named != use.value:
                raise table.wrong(use.value, f"another input than {named}, which has this one")
    table.end()
    return contacts


def _contact(table: Table, key: str, text: str) -> Contact:
    found = _CONTACT.fullmatch(text)
    if found is None or int(found[3]) > INPUT_NUMBER_MAX:
        raise table.wrong(key, 'an input such as "barrier:0" or "!camera-1:2"')
    return Contact(found[2], int(found[3]), is_inverted=bool(found[1]))


def _wiring(table: Table | None, contacts: Mapping[ContactUse, Contact], loop: LoopKind) -> Wiring:
    uses = set(contacts)
    if loop is LoopKind.CAMERA:
        # The cameras stand in for the loop.
        uses.add(ContactUse.LOOP)
    plain = Wiring(
        uses=frozenset(uses),
        inputs={
            contact.number: RelayInput(use, is_inverted=contact.is_inverted)
            for use, contact in contacts.items()
            if contact.device == BARRIER_CONTACTS
        },
    )
    if table is None:
        return plain

    def seconds(key: str, default: float) -> float:
        return table.number(key, 0.0, RULE_S_MAX, default)

    timed = replace(
        plain,
        arm_rise_s=seconds("arm_rise_s", plain.arm_rise_s),
        arm_stuck_s=seconds("arm_stuck_s", plain.arm_stuck_s),
        arm_open_s=seconds("arm_open_s", plain.arm_open_s),
        pass_s_max=seconds("pass_s_max", plain.pass_s_max),
        settle_s=seconds("settle_s", plain.settle_s),
        blind_s_max=seconds("blind_s_max", plain.blind_s_max),
        is_passage_inferred=table.flag("is_passage_inferred", default=plain.is_passage_inferred),
        hand_operator=table.text("hand_operator", plain.hand_operator),
        hand_reason=table.text("hand_reason", plain.hand_reason),
    )
    table.end()
    return timed


def _offline(table: Table | None) -> OfflineOptions:
    plain = OfflineOptions()
    if table is None:
        return plain
    offline = replace(
        plain,
        away_s=table.number("away_s", 1.0, OFFLINE_S_MAX, plain.away_s),
        read_s=table.number("read_s", 0.5, OFFLINE_S_MAX, plain.read_s),
        confidence_min=table.number("confidence_min", 0.5, 1.0, plain.confidence_min),
    )
    table.end()
    return offline
