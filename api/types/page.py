"""Pages of lists: how large one may be, and where one stands."""

from collections.abc import Sequence
from typing import Self

import strawberry

from api.config import PAGE_SIZE_MAX
from parking.kit.errors import InvalidInputError


@strawberry.type(description="Where a page of a list stands.")
class PageInfo:
    """Where a page stands."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None

    @classmethod
    def of(cls, cursors: Sequence[str], *, has_more: bool, after: str | None) -> Self:
        """Return where the page with these cursors stands; `after` is what it was asked for."""
        return cls(
            has_next_page=has_more,
            has_previous_page=after is not None,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )


def require_page_size(first: int, *, at_least: int = 0) -> None:
    """Let a page of `first` items pass.

    Raises:
        InvalidInputError: it is too small or too large.
    """
    if not at_least <= first <= PAGE_SIZE_MAX:
        raise InvalidInputError("first", f"{at_least} to {PAGE_SIZE_MAX}")
