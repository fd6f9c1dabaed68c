"""Refusals about idempotency keys."""

from parking.kit.errors import ParkingError


class IdempotencyKeyInUseError(ParkingError):
    """The first request with this key is still being worked on; ask again in a moment."""

    code = "IDEMPOTENCY_KEY_IN_USE"
    retryable = True

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("idempotencyKey: the first request with this key is still at work")
        self.retry_after_s = retry_after_s


class IdempotencyKeyReusedError(ParkingError):
    """The key belongs to another request: a key names one act, with one input."""

    code = "IDEMPOTENCY_KEY_REUSED"

    def __init__(self) -> None:
        super().__init__("idempotencyKey: it came with another input before; take a new one")
