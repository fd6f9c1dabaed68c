"""A process that dies around a call to a provider, or to which something else happens meanwhile."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, cast

from parking.payments.port import PaymentProvider

CALLS = frozenset({"charge", "start_checkout", "refund", "close"})


class Died(BaseException):
    """The process ended here: nothing after this point happens, no handler included."""


class Death(Enum):
    """When the process dies."""

    BEFORE = "before the provider heard of it"
    AFTER = "after the provider answered, and before that was written down"


Meanwhile = Callable[[], Awaitable[None]]


class Unsteady:
    """A provider's adapter as it is, but for what is to happen around its next order."""

    def __init__(self, inner: PaymentProvider) -> None:
        self._inner = inner
        self.calls = 0
        self.trouble: Death | Meanwhile | None = None

    def as_provider(self) -> PaymentProvider:
        """Return it as what it stands for."""
        return cast("PaymentProvider", self)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the adapter has
        found = getattr(self._inner, name)
        return self._around(found) if name in CALLS else found

    def _around(self, call: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def surrounded(*arguments: object, **named: object) -> object:
            self.calls += 1
            trouble, self.trouble = self.trouble, None
            if trouble is Death.BEFORE:
                raise Died
            answer = await call(*arguments, **named)
            if trouble is Death.AFTER:
                raise Died
            if callable(trouble):
                await trouble()
            return answer

        return surrounded
