"""What a driver wants to be told of, by which channel, and when not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.notices import repository
from parking.notices.errors import CategoryAlwaysToldError
from parking.notices.models import NoticeBook
from parking.notices.quiet_hours import QuietHours
from parking.notices.rules import (
    ALWAYS_TOLD,
    DEDUCTIONS,
    RULES,
    NoticeCategory,
    NoticeChannel,
    mute_key,
)
from parking.notices.rules import is_on as is_channel_on

_PUSHED: Final = frozenset({NoticeChannel.PUSH, NoticeChannel.WEB_PUSH})
# Text messages tell of nothing else: whoever relied on them would not be told.
_TEXTED: Final = frozenset(RULES[template].category for template in DEDUCTIONS)


@dataclass(frozen=True, slots=True)
class Preference:
    """Whether messages of a category come by a channel."""

    category: NoticeCategory
    channel: NoticeChannel
    is_on: bool


def list_preferences(book: NoticeBook) -> Sequence[Preference]:
    """Return every category by every channel; what was never chosen is on."""
    return [
        Preference(category, channel, is_on=is_channel_on(book.muted, category, channel))
        for category in NoticeCategory
        for channel in NoticeChannel
    ]


async def set_preference(
    unit: UnitOfWork,
    driver_id: UUID,
    category: NoticeCategory,
    channel: NoticeChannel,
    *,
    is_on: bool,
) -> NoticeBook:
    """Switch a channel on or off for a category. Idempotent.

    Raises:
        CategoryAlwaysToldError: bills or security would be told nowhere, or not in the inbox.
    """
    book = await repository.lock_book(unit, driver_id)
    key = mute_key(category, channel)
    muted = {*book.muted, key} if not is_on else {*book.muted} - {key}
    if category in ALWAYS_TOLD and not _is_told(muted, category):
        raise CategoryAlwaysToldError(category)
    book.muted = sorted(muted)
    return book


async def set_quiet_hours(
    unit: UnitOfWork, driver_id: UUID, hours: QuietHours | None
) -> NoticeBook:
    """Leave the driver alone at these hours; None for never."""
    book = await repository.lock_book(unit, driver_id)
    book.quiet_starts_at = None if hours is None else hours.starts_at
    book.quiet_ends_at = None if hours is None else hours.ends_at
    book.quiet_timezone = None if hours is None else hours.timezone
    return book


def _is_told(muted: set[str], category: NoticeCategory) -> bool:
    reaching = _PUSHED | {NoticeChannel.SMS} if category in _TEXTED else _PUSHED
    reached = any(is_channel_on(muted, category, channel) for channel in reaching)
    return reached and is_channel_on(muted, category, NoticeChannel.IN_APP)
