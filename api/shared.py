"""What the subscriptions of one process have in common."""

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

Thing = TypeVar("Thing")


class Shared:
    """Things by what they are for, made by whoever needs them first."""

    def __init__(self) -> None:
        self._things: dict[Hashable, object] = {}

    def __len__(self) -> int:
        return len(self._things)

    def find(self, key: Hashable, make: Callable[[], Thing]) -> Thing:
        """Return the thing for a key; always ask with what makes the same kind of thing."""
        found = self._things.get(key)
        if found is None:
            found = self._things[key] = make()
        return cast("Thing", found)

    def drop(self, key: Hashable) -> None:
        """Forget a thing; again changes nothing."""
        self._things.pop(key, None)
