"""What keeps an account from being deleted."""

import strawberry

from parking.flows.accounts.obstacles import DeletionObstacle

strawberry.enum(
    DeletionObstacle,
    name="DeletionObstacle",
    description="What must be settled before the account can be deleted. OPEN_STAY: a car of yours "
    "is parked. AMOUNT_OWED: see `viewer.owed`. PAYMENT_IN_PROGRESS: its outcome is awaited. "
    "DISPUTE_OPEN: staff have not decided. PASS_HELD: cancel it first, for its unused days are "
    "paid back. More values may come: treat an unknown one as an obstacle.",
)

__all__ = ["DeletionObstacle"]
