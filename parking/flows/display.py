"""What the lane's display says. Short lines: the signs have about twelve characters."""

from parking.flows.lane_types import DisplayText
from parking.kit.money import Money

CALL_STAFF = "Please call staff"


def welcome(plate: str, code: str | None) -> DisplayText:
    """Greet a car that comes in, with the code that proves a claimed plate."""
    lines = (plate, "Welcome")
    return DisplayText(lines if code is None else (*lines, f"Code {code}"))


def goodbye(plate: str, paid: Money | None, code: str | None) -> DisplayText:
    """Send a car on its way."""
    lines = (plate, f"Paid {paid.format()}" if paid else "Nothing due", "Goodbye")
    return DisplayText(lines if code is None else (*lines, f"Code {code}"))


def on_credit(plate: str, owed: Money, code: str | None) -> DisplayText:
    """Send a car on its way that pays later."""
    lines = (plate, f"{owed.format()} later", "Goodbye")
    return DisplayText(lines if code is None else (*lines, f"Code {code}"))


def payment_due(plate: str, due: Money, url: str, code: str | None) -> DisplayText:
    """Ask for payment by QR code."""
    lines = (plate, due.format(), "Scan to pay")
    return DisplayText(lines if code is None else (*lines, f"Code {code}"), qr=url)


def charging(plate: str, due: Money, url: str) -> DisplayText:
    """Say that the payment is under way."""
    return DisplayText((plate, due.format(), "One moment"), qr=url)


def refused(reason: str) -> DisplayText:
    """Say why the gate stays shut, without saying anything about a person."""
    first = {
        "plate_unsure": "Plate not readable",
        "no_session": "No entry found",
        "leaving_elsewhere": "Already leaving",
        "car_gone": "Please come closer",
        "wrong_way": "Wrong way",
    }.get(reason, "Cannot open")
    return full() if reason == "full" else DisplayText((first, CALL_STAFF))


def full() -> DisplayText:
    """Say that there is no room: to who stands there, and to whoever comes."""
    return DisplayText(("Full", "No free spaces"))
