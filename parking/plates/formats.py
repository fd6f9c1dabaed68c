"""What a plate says of its vehicle by its format alone: pure, no I/O."""

import re
from typing import Final

# GA 36-2018, "Motor vehicle number plates of the People's Republic of China": a new-energy plate
# has six characters after province and office, where others have five. On a small vehicle's the
# first of them is a letter and the last four are digits; on a large one's the last is a letter and
# the rest are digits. D was for battery-electric and F for other new-energy vehicles; the later
# letters A, B, C, E and G, H, J, K continue the two series. I and O are never used.
_PROVINCES: Final = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_NEW_ENERGY: Final = re.compile(
    rf"[{_PROVINCES}][A-HJ-NP-Z]"
    r"(?:[A-HJK][A-HJ-NP-Z0-9][0-9]{4}|[0-9]{5}[A-HJK])"
)


def is_new_energy(plate: str) -> bool:
    """Return whether the plate is a Chinese new-energy one: battery, plug-in hybrid or fuel cell.

    False says nothing: most countries' plates do not tell.

    Args:
        plate: Normalised: capitals, no separators.
    """
    return _NEW_ENERGY.fullmatch(plate) is not None
