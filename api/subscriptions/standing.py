"""Whether sign-ins stand, asked together by those who come together."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from api.request import RequestContext
from api.subscriptions.batch import Batch
from parking.flows import watched_sign_ins
from parking.flows.context import ParkingContext
from parking.kit.tokens import DriverIdentity

_KEY: Final = "standing sign-ins"
Standing = Batch[DriverIdentity, frozenset[UUID]]


def standing(context: RequestContext) -> Standing:
    """Return what tells of an identity which of the sign-ins asked for with it stand.

    After a restart every phone comes back at once.
    """
    return context.config.shared.find(_KEY, lambda: _standing(context.parking))


def _standing(parking: ParkingContext) -> Standing:
    async def read(asked: Sequence[DriverIdentity]) -> Sequence[frozenset[UUID]]:
        return [await watched_sign_ins.find_standing(parking, asked)] * len(asked)

    return Batch(
        read,
        size_max=watched_sign_ins.READ_AT_ONCE_MAX,
        # The next ones wait for it together.
        at_once_max=1,
    )
