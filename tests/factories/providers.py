"""Several providers in one world, each in memory, with traits of its own."""

from dataclasses import replace
from typing import Any

from parking.flows.lane import LaneFlows
from parking.payments.fake import TRAITS, FakeProvider
from tests.factories.lane_world import LaneWorld


def add_provider(world: LaneWorld, name: str, **traits: Any) -> FakeProvider:  # noqa: ANN401 - any trait's
    """Set up one more provider."""
    provider = FakeProvider(world.clock, name=name, traits=replace(TRAITS, **traits))
    world.context = replace(
        world.context, providers={**world.context.providers, provider.name: provider}
    )
    world.gate = LaneFlows(world.context)
    return provider
