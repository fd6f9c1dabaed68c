"""A gate with a camera and a relay of its own lets a car in without network; its stay is right."""

import secrets
from datetime import datetime, timedelta
from typing import Final

from sesame.demo.gate_site import GateSite
from sesame.demo.providers import CARD
from sesame.demo.scenarios.act import Act, ScenarioFailedError, eventually
from sesame.demo.scenarios.stage import Stage
from sesame.demo.scenarios.temporary import pay_by_qr
from sesame.demo.town import QUAY

ENTRY: Final = f"{QUAY}-entry"
EXIT: Final = f"{QUAY}-exit"
# The stay begins with the read, a moment after the car came onto the loop.
READ_WITHIN: Final = timedelta(seconds=3)


async def play(stage: Stage, act: Act) -> None:
    """Play the scenario once."""
    site = stage.town.site
    if site is None:
        raise ScenarioFailedError("the site with devices of its own", "none", "one that runs")
    # Nobody has seen it before: a car of an earlier run may still stand inside.
    plate = f"BQY{secrets.randbelow(9000) + 1000}"
    connections = site.lanes[EXIT].connections()
    came_at = await _let_in_without_network(stage, act, site, plate)
    act.step("the network is back, and the gate tells what it did")
    await site.lanes[EXIT].connected_again(connections)
    place = stage.town.town.place(QUAY)
    entered_at = await eventually(
        "stays of the car", lambda: stage.witness.entered_at(place, plate)
    )
    act.expect_that(
        "the stay begins when the car came, not when the network was back",
        holds=came_at <= entered_at <= came_at + READ_WITHIN,
    )
    await stage.stay(act)
    act.step(f"{plate} comes to the exit, and its camera reads it")
    await pay_by_qr(stage, act, await site.lanes[EXIT].drive_up(plate), CARD)


async def _let_in_without_network(stage: Stage, act: Act, site: GateSite, plate: str) -> datetime:
    """Let a car in while the bridge cannot be reached; returns when it came."""
    entry, clock = site.lanes[ENTRY], stage.town.context.clock
    await eventually("policies of the gate", lambda: _policy(stage, site))
    act.step("the Quay's network fails")
    site.cable.pull()
    try:
        act.step(f"{plate} comes to its entry: a Hikvision camera reads it")
        came_at = clock.now().replace(microsecond=0)
        visit = await entry.drive_up(plate)
        decided = await entry.told("offline", presentation_id=visit.presentation_id)
        act.facts["without_network"] = f"{decided['choice']} ({decided['reason']})"
        act.expect("what the gate decides by its signed policy", decided["choice"], "open")
        act.step("the gate decides by its signed policy, and pulses its Shelly relay")
        await visit.passed()
        act.expect("pulses of the relay", await visit.pulses(), 1)
        act.expect("orders of the bridge", len(visit.orders()), 0)
    finally:
        site.cable.plug_in()
    return came_at


async def _policy(stage: Stage, site: GateSite) -> str | None:
    """Return by what the gate decides: signed by the bridge, fetched while there was a network."""
    told = [report for report in site.lanes[ENTRY].reports if report["event"] == "policy"]
    if told:
        return str(told[-1]["version"])
    # A site that ran before has one already.
    return await stage.witness.policy_version(stage.town.town.place(QUAY), ENTRY)
