"""Several providers in one world, each in memory, with traits of its own."""

from dataclasses import replace
from typing import Any, cast

from parking.payments.fake import TRAITS, FakeProvider
from parking.payments.port import PaymentProvider
from tests.factories.lane_world import LaneWorld


def add_provider(world: LaneWorld, name: str, **traits: Any) -> FakeProvider:  # noqa: ANN401 - any trait's
    """Set up one more provider, for whoever has the world's surroundings already too."""
    provider = FakeProvider(world.clock, name=name, traits=replace(TRAITS, **traits))
    cast("dict[str, PaymentProvider]", world.context.providers)[name] = provider
    return provider
