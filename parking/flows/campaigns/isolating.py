"""One campaign, or one operator, that fails keeps none of the others waiting."""

from collections.abc import Awaitable
from uuid import UUID

import structlog

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def is_done(work: Awaitable[object], what: str, subject_id: UUID) -> bool:
    """Do some of a turn's work; returns whether it went well. A later turn tries again."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - one that fails must not keep the others waiting
        _log.warning("campaign.not_done", what=what, subject=str(subject_id), error=repr(error))
        return False
    return True
