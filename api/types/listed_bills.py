"""The issued bills of the stays and passes in a list, read together."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from strawberry.dataloader import DataLoader

from api.request import RequestContext
from api.types.issued_bill import IssuedBill
from parking.flows.proof import bill_view

_LOADER_OF_STAYS: Final = "bills_of_stays"
_LOADER_OF_PASSES: Final = "bills_of_passes"


async def bills_of_stay(context: RequestContext, session_id: UUID) -> list[IssuedBill]:
    """Return the driver's own bills of a stay; a list of stays costs the same few statements."""
    loader: DataLoader[UUID, list[IssuedBill]] | None = context.loaders.get(_LOADER_OF_STAYS)
    if loader is None:

        async def load(session_ids: list[UUID]) -> Sequence[list[IssuedBill]]:
            found = await bill_view.bills_of_stays(
                context.parking, await context.driver_id(), session_ids
            )
            return [[IssuedBill.of(view) for view in found[key]] for key in session_ids]

        # Without a cache: a subscription reads the same stay again and again.
        loader = DataLoader(load_fn=load, cache=False)
        context.loaders[_LOADER_OF_STAYS] = loader
    return await loader.load(session_id)


async def bills_of_pass(
    context: RequestContext, operator_id: UUID, pass_id: UUID
) -> list[IssuedBill]:
    """Return the driver's own bills of a pass; a list of passes costs the same few statements."""
    loader: DataLoader[tuple[UUID, UUID], list[IssuedBill]] | None
    loader = context.loaders.get(_LOADER_OF_PASSES)
    if loader is None:

        async def load(keys: list[tuple[UUID, UUID]]) -> Sequence[list[IssuedBill]]:
            found = await bill_view.bills_of_passes(
                context.parking, await context.driver_id(), keys
            )
            return [[IssuedBill.of(view) for view in found[pass_id]] for _, pass_id in keys]

        loader = DataLoader(load_fn=load, cache=False)
        context.loaders[_LOADER_OF_PASSES] = loader
    return await loader.load((operator_id, pass_id))
