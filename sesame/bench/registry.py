"""The benches by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class BenchEntry:
    """A bench as `--list` shows it.

    Attributes:
        exits: Cars at each rate, by default, together under half a minute; empty without cars.
    """

    name: str
    measures: str
    exits: Mapping[float, int] = field(default_factory=dict[float, int])


EXIT: Final = BenchEntry(
    name="exit",
    measures="frame at the bridge to order to open, by step, at 1 and at 20 exits a second",
    exits=MappingProxyType({1.0: 20, 20.0: 100}),
)
TARIFF: Final = BenchEntry(
    name="tariff",
    measures="quotes of one day and of 30 with their price curves; open stays that nobody watches",
)
CHARGE: Final = BenchEntry(
    name="charge",
    measures="what a charge costs without the provider's time, in ms and in round trips",
)
MONEY: Final = BenchEntry(
    name="money",
    measures="2,000 exits over all providers while everything breaks: are all books right",
)
GATES: Final = BenchEntry(
    name="gates",
    measures="3,000 gates on one bridge: memory, reconnect storm, 50 cars a second",
)
GRAPHQL: Final = BenchEntry(
    name="graphql",
    measures="one screen of the app: our API, hand-written Python, and others, in one run",
)
SUBSCRIPTIONS: Final = BenchEntry(
    name="subscriptions",
    measures="5,000 sockets on one process: memory, how soon one hears, and 1,000 of one place",
)
NOTIFICATIONS: Final = BenchEntry(
    name="notifications",
    measures="10,000 deductions while FCM fails and workers die: is every driver told, once",
)
CAMPAIGN: Final = BenchEntry(
    name="campaign",
    measures="a campaign to 1,000,000 drivers: selected, capped, queued; killed, and gone on with",
)
HABITS: Final = BenchEntry(
    name="habits",
    measures="a week told for 100,000 pairs of driver and place; one visit learned",
)
BENCHES: Final[Mapping[str, BenchEntry]] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            *(EXIT, TARIFF, CHARGE, MONEY, GATES, GRAPHQL, SUBSCRIPTIONS),
            *(NOTIFICATIONS, CAMPAIGN, HABITS),
        )
    }
)
