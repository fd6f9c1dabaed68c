"""How much may wait of one device: a lane that is down, or a device gone wild, stops no other."""

from typing import Final

# A quarter of the store, see `message_store.py`.
MESSAGES_OF_ONE_MAX: Final = 5_000
BYTES_OF_ONE_MAX: Final = 512 * 1024**2


class WaitingShares:
    """Counts the messages that were not acted on, by device."""

    def __init__(self) -> None:
        self._sizes: dict[str, tuple[str, int]] = {}
        self._held: dict[str, tuple[int, int]] = {}

    def has_room(self, device: str, size_bytes: int) -> bool:
        """Return whether one more message of a device may wait."""
        count, held_bytes = self._held.get(device, (0, 0))
        return count < MESSAGES_OF_ONE_MAX and held_bytes + size_bytes <= BYTES_OF_ONE_MAX

    def begin(self, message_id: str, device: str, size_bytes: int) -> None:
        """Count a message that waits from now on."""
        count, held_bytes = self._held.get(device, (0, 0))
        self._sizes[message_id] = (device, size_bytes)
        self._held[device] = (count + 1, held_bytes + size_bytes)

    def end(self, message_id: str) -> None:
        """Count a message no longer; one that was not counted changes nothing."""
        known = self._sizes.pop(message_id, None)
        if known is None:
            return
        device, size_bytes = known
        count, held_bytes = self._held[device]
        self._held[device] = (count - 1, held_bytes - size_bytes)
