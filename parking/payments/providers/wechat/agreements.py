"""Parking services: one payer, one plate, opened and closed by the payer in WeChat.

WeChat Pay has no number for such an agreement: it is found by openid and plate. Our reference
names the openid, and plate and authorization by digests under the APIv3 key, so that nobody reads
a plate from it and no two authorizations share one.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from urllib.parse import urlencode

OPENID_LENGTH_MAX = 30
_DIGEST_LENGTH = 10
_NUMBER_LENGTH = 12

_OPENID = rf"[0-9A-Za-z_-]{{1,{OPENID_LENGTH_MAX}}}"
_DIGESTS = rf"[0-9a-f]{{{2 * _DIGEST_LENGTH}}}"
_REFERENCE = re.compile(rf"({_OPENID})\.({_DIGESTS})")
_PARKING_NUMBER = re.compile(rf"({_OPENID})({_DIGESTS})[0-9a-f]{{{_NUMBER_LENGTH}}}")

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE = re.compile(rf"[{_PROVINCES}][A-Z][0-9A-Z]{{5,6}}")
_OFFICE_LENGTH = 2
# GA 36-2018: a new-energy plate has six characters after province and office. A small vehicle's is
# green and ends in digits, a large one's is yellow and green and ends in a letter.
_NEW_ENERGY_LENGTH = _OFFICE_LENGTH + 6


def colour_of(plate: str) -> str | None:
    """Return WeChat's name of the plate's colour, by its format; None for what it does not take.

    Yellow, black and white plates have the format of blue ones, and are taken for such.
    """
    if not _PLATE.fullmatch(plate):
        return None
    if len(plate) < _NEW_ENERGY_LENGTH:
        return "BLUE"
    return "GREEN" if plate[-1].isdigit() else "LIMEGREEN"


@dataclass(frozen=True, slots=True)
class Service:
    """A payer's parking service for a plate.

    Attributes:
        reference: Ours.
        colour: Of the plate, in WeChat's words.
    """

    reference: str
    openid: str
    plate: str
    colour: str

    def query(self) -> dict[str, str]:
        """Return how WeChat finds it."""
        return {"plate_number": self.plate, "plate_color": self.colour, "openid": self.openid}

    def parking_number(self, number: str) -> str:
        """Return our number of a parking: the same for the same number of a stay, or of a charge.

        The agreement can be read from it, because a notice about a parking names nothing else.
        """
        digest = hashlib.sha256(number.encode()).hexdigest()[:_NUMBER_LENGTH]
        return self.reference.replace(".", "") + digest


class Services:
    """Makes and reads references.

    Args:
        api_key: The APIv3 key. With another one, no earlier reference is known any more.
    """

    def __init__(self, api_key: str) -> None:
        self._key = api_key.encode()

    def open(self, number: str, openid: str, plate: str) -> Service | None:
        """Return the service that an authorization is for; None where WeChat takes no such one."""
        colour = colour_of(plate)
        reference = f"{openid}.{self._digest('number', number)}{self._digest('plate', plate)}"
        if colour is None or not _REFERENCE.fullmatch(reference):
            return None
        return Service(reference, openid, plate, colour)

    def find(self, reference: str, plate: str | None) -> Service | None:
        """Return the service of a reference; None unless it is for this very plate."""
        parts = _REFERENCE.fullmatch(reference)
        colour = None if plate is None else colour_of(plate)
        if parts is None or plate is None or colour is None:
            return None
        if not hmac.compare_digest(parts[2][_DIGEST_LENGTH:], self._digest("plate", plate)):
            return None
        return Service(reference, parts[1], plate, colour)

    def of_parking(self, parking_number: str, plate: str) -> Service | None:
        """Return the service that a parking of ours was for; None for anybody else's."""
        parts = _PARKING_NUMBER.fullmatch(parking_number)
        return None if parts is None else self.find(f"{parts[1]}.{parts[2]}", plate)

    def _digest(self, purpose: str, value: str) -> str:
        text = f"sesame {purpose}\n{value}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:_DIGEST_LENGTH]


def service_page(
    service_url: str, service: Service, *, merchant: str, sub_merchant: str | None
) -> str:
    """Return where the payer opens the service, with the parameters of WeChat's own page."""
    parameters = {"mchid": merchant, "sub_mchid": sub_merchant} | service.query()
    parameters["trade_scene"] = "PARKING"
    query = urlencode({name: value for name, value in parameters.items() if value is not None})
    return f"{service_url}{'&' if '?' in service_url else '?'}{query}"
