"""Where pushes go, as it is stored, and in clear."""

from typing import Any

from parking.drivers.models import Device
from parking.drivers.rules import TARGET_CONTEXT, target_index
from parking.kit.crypto import Vault


def sealed_target(vault: Vault, target: str) -> dict[str, Any]:
    """Return the columns of a device that name its target."""
    return {
        "target_index": target_index(vault, target),
        "target_sealed": vault.seal(target, context=TARGET_CONTEXT),
    }


def target_of(vault: Vault, device: Device) -> str:
    """Return where a device's pushes go."""
    return vault.open(device.target_sealed, context=TARGET_CONTEXT)
