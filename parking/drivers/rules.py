"""How long and how often: codes, tokens and devices; and the one spelling of a phone number."""

from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from uuid import UUID

import phonenumbers

from parking.drivers.errors import SignInCodeExpiredError
from parking.drivers.models import SignIn, SignInCode
from parking.drivers.purposes import CodePurpose
from parking.kit.crypto import Vault
from parking.kit.errors import InvalidInputError, ParkingError

# 23 bits: OWASP's ASVS 5.0 asks for 20, and six digits have 19.9. An eighth would only be typed.
CODE_DIGITS: Final = 7
CODE_PERIOD: Final = timedelta(minutes=10)
CODE_ATTEMPTS_MAX: Final = 5

RATE_WINDOW: Final = timedelta(hours=1)
DAY_WINDOW: Final = timedelta(days=1)
CODES_PER_PHONE_MAX: Final = 5
# Ten thousand neighbouring numbers: those who earn from messages own numbers in such blocks.
CODES_PER_RANGE_MAX: Final = 100
RANGE_DIGITS: Final = 4
CODES_PER_INSTALLATION_MAX: Final = 10
INSTALLATION_LENGTH_MAX: Final = 128
CODES_PER_ADDRESS_MAX: Final = 30
CODES_PER_NETWORK_MAX: Final = 120
SIGN_INS_PER_ADDRESS_MAX: Final = 60
EXPORTS_PER_DRIVER_MAX: Final = 5
UPLOADS_PER_DRIVER_MAX: Final = 30
# Homes and phones own a whole /64: limiting single IPv6 addresses would limit nobody.
_IPV6_PREFIX_BITS: Final = 64
# And anyone may have a /48 for nothing, with 65,536 of those.
_IPV6_NETWORK_BITS: Final = 48

# For how long who signs in, or confirms with a code, needs no other code.
CONFIRMED_PERIOD: Final = timedelta(minutes=5)
SIGN_IN_PERIOD: Final = timedelta(days=60)
# An answer that got lost is asked for again at once; a thief comes later, or after the successor.
REFRESH_GRACE: Final = timedelta(seconds=30)
SIGN_INS_PER_DRIVER_MAX: Final = 20
DEVICES_PER_DRIVER_MAX: Final = 20

PHONE_LENGTH_MAX: Final = 32
# Under which numbers are sealed and indexed.
PHONE_CONTEXT: Final = "phone"
TARGET_CONTEXT: Final = "push_target"
DEVICE_NAME_LENGTH_MAX: Final = 80
TARGET_LENGTH_MAX: Final = 1024
PLATFORMS: Final = ("android", "ios", "web")


def normalise_phone(text: str, *, field: str = "phone_number") -> str:
    """Return the number in E.164, such as `+4915112345678`; raises as `parse_phone`."""
    number = parse_phone(text, field=field)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def parse_phone(text: str, *, field: str = "phone_number") -> phonenumbers.PhoneNumber:
    """Return the number that the text means.

    Raises:
        InvalidInputError: no number of any country's plan reads so, or the country is missing.
    """
    expected = "a phone number with its country, such as +8613800138000"
    if len(text) > PHONE_LENGTH_MAX:
        raise InvalidInputError(field, expected)
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException as error:
        raise InvalidInputError(field, expected) from error
    if not phonenumbers.is_valid_number(number):
        raise InvalidInputError(field, expected)
    return number


def address_group(client_address: str) -> str:
    """Return what requests are counted by: the IPv4 address, or the /64 of an IPv6 address."""
    address = _address(client_address)
    if address is None:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _IPV6_PREFIX_BITS), strict=False))
    return str(address)


def address_network(client_address: str) -> str | None:
    """Return the /48 of an IPv6 address, counted besides its group; None for any other."""
    address = _address(client_address)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _IPV6_NETWORK_BITS), strict=False))
    return None


def number_range(number: str) -> str:
    """Return the block of neighbouring numbers that a number in E.164 is of."""
    return number[:-RANGE_DIGITS]


def check_installation(installation_id: str) -> str:
    """Return the id by which an app tells its own installation.

    Raises:
        InvalidInputError: too long, or not printable.
    """
    is_usable = installation_id.isascii() and installation_id.isprintable()
    if not is_usable or not 0 < len(installation_id) <= INSTALLATION_LENGTH_MAX:
        expected = f"1 to {INSTALLATION_LENGTH_MAX} ASCII characters"
        raise InvalidInputError("installation_id", expected)
    return installation_id


def _address(client_address: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(client_address)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def code_refusal(code: SignInCode, now: datetime) -> ParkingError | None:
    """Return why the code cannot be used at `now`; None if it can."""
    usable = code.used_at is None and code.expires_at > now and code.attempts < CODE_ATTEMPTS_MAX
    return None if usable else SignInCodeExpiredError()


def is_confirmed(sign_in: SignIn, purpose: CodePurpose, now: datetime) -> bool:
    """Return whether the driver proved a short time ago, for this purpose, who they are."""
    if sign_in.authenticated_at + CONFIRMED_PERIOD > now:
        return True
    confirmed_at = sign_in.confirmed_at if sign_in.confirmed_for == purpose else None
    return confirmed_at is not None and confirmed_at + CONFIRMED_PERIOD > now


def check_device_name(text: str) -> str:
    """Return a device's name as it is listed.

    Raises:
        InvalidInputError: too long, or not printable.
    """
    name = text.strip()
    if len(name) > DEVICE_NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidInputError("device_name", f"at most {DEVICE_NAME_LENGTH_MAX} characters")
    return name


def target_index(vault: Vault, target: str) -> UUID:
    """Return the key under which a push target is found; it is stored sealed."""
    return vault.blind_index(TARGET_CONTEXT, target)


def check_target(target: str, platform: str) -> None:
    """Refuse a push target that no platform would give.

    Raises:
        InvalidInputError: names the field.
    """
    if not 0 < len(target) <= TARGET_LENGTH_MAX or not target.isascii() or not target.isprintable():
        raise InvalidInputError("target", f"1 to {TARGET_LENGTH_MAX} ASCII characters")
    if platform not in PLATFORMS:
        raise InvalidInputError("platform", f"one of {', '.join(PLATFORMS)}")
