"""Pictures that came with a camera's read and wait for their way to the bridge."""

import asyncio
from collections import deque
from uuid import UUID

from gate_bridge.agent.pictures import Picture

# Of one car; what was pushed before goes first. The raw message keeps each of them besides.
PUSHED_PICTURES_MAX = 6


class PushedPictures:
    """The newest pictures of the car on one lane's loop."""

    def __init__(self) -> None:
        self._pictures: deque[tuple[UUID, Picture]] = deque(maxlen=PUSHED_PICTURES_MAX)
        self._news = asyncio.Event()

    def put(self, presentation_id: UUID, picture: Picture) -> None:
        """Add a picture of a car."""
        self._pictures.append((presentation_id, picture))
        self._news.set()

    async def wait(self) -> None:
        """Wait until there is one."""
        await self._news.wait()

    def take(self, presentation_id: UUID) -> Picture | None:
        """Return the oldest picture of this car; those of others are let go."""
        while self._pictures:
            owner, picture = self._pictures.popleft()
            if owner == presentation_id:
                return picture
        self._news.clear()
        return None
