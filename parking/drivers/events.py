"""What happens to a driver's sign-ins: for the driver's own security messages and the audit."""

from uuid import UUID

from parking.drivers.models import SignIn
from parking.events.envelope import Event
from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id, new_id

DRIVER_SIGNED_IN = "DriverSignedIn"
SIGN_IN_ENDED = "SignInEnded"
ACCOUNT_DELETED = "AccountDeleted"
PHONE_NUMBER_CHANGED = "PhoneNumberChanged"
# What every process with sockets listens to.
SIGN_INS_CHANNEL = "sesame:{sign-ins}"


def driver_signed_in(sign_in: SignIn, *, is_first: bool) -> Event:
    """A device signed in; `is_first` where nobody had who could be told."""
    return Event(
        id=derive_id(sign_in.id, DRIVER_SIGNED_IN),
        type=DRIVER_SIGNED_IN,
        owner_id=sign_in.driver_id,
        subject_id=sign_in.id,
        occurred_at=sign_in.created_at,
        payload={
            "driver_id": str(sign_in.driver_id),
            "device_name": sign_in.device_name,
            "is_first": is_first,
        },
    )


def sign_in_ended(unit: UnitOfWork, sign_in: SignIn, *, reason: str) -> Event:
    """A sign-in ended; `reason` is `signed_out`, `revoked`, `displaced` or `token_reused`."""
    return Event(
        id=new_id(unit.now()),
        type=SIGN_IN_ENDED,
        owner_id=sign_in.driver_id,
        subject_id=sign_in.id,
        occurred_at=unit.now(),
        payload={
            "driver_id": str(sign_in.driver_id),
            "reason": reason,
            "device_name": sign_in.device_name,
            "channels": [SIGN_INS_CHANNEL],
        },
    )


def account_deleted(unit: UnitOfWork, driver_id: UUID) -> Event:
    """An account is gone, and every sign-in with it."""
    return Event(
        id=new_id(unit.now()),
        type=ACCOUNT_DELETED,
        owner_id=driver_id,
        subject_id=driver_id,
        occurred_at=unit.now(),
        payload={"channels": [SIGN_INS_CHANNEL]},
    )


def phone_number_changed(unit: UnitOfWork, driver_id: UUID) -> Event:
    """Codes go to another number from now on; neither is told here."""
    return Event(
        id=new_id(unit.now()),
        type=PHONE_NUMBER_CHANGED,
        owner_id=driver_id,
        subject_id=driver_id,
        occurred_at=unit.now(),
        payload={"driver_id": str(driver_id)},
    )
