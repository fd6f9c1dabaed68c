"""Signing in with a Firebase ID token: one driver for each Firebase account."""

from uuid import UUID

from parking.drivers import repository, rules
from parking.drivers.codes import limit, phone_index
from parking.drivers.errors import FirebaseSignInTooOldError, TooManyRequestsError
from parking.drivers.firebase_port import FirebaseUser, FirebaseVerifier
from parking.drivers.models import FirebaseAccount, PhoneNumber
from parking.drivers.service import SignedIn, open_sign_in
from parking.kit.database import Database, UnitOfWork
from parking.kit.ids import new_id
from parking.kit.tokens import TokenIssuer

UID_CONTEXT = "firebase_uid"


async def sign_in_with_firebase(
    database: Database,
    tokens: TokenIssuer,
    verifier: FirebaseVerifier,
    *,
    id_token: str,
    device_name: str,
    client_address: str,
) -> SignedIn:
    """Sign in whoever a Firebase ID token proves; who is new gets an account.

    The first time, a phone number by which they signed in to Firebase leads to the account that
    has it here. From then on the Firebase account alone does.

    Raises:
        InvalidInputError: the device's name is unusable.
        TooManyRequestsError: too many tries from one address.
        FirebaseTokenRefusedError: the token proves nothing.
        FirebaseSignInTooOldError: its phone number was proven too long ago to go by it.
        FirebaseUnavailableError: Google did not answer.
    """
    device_name = rules.check_device_name(device_name)
    refusal = await _count(database, client_address)
    if refusal is not None:
        raise refusal
    # Outside of any transaction: Google may be slow.
    user = await verifier.verify(id_token)
    async with database.begin() as unit:
        driver_id = await _driver_of(unit, user)
        proven_at = min(user.authenticated_at, unit.now())
        return await open_sign_in(unit, tokens, driver_id, device_name, authenticated_at=proven_at)


async def _count(database: Database, client_address: str) -> TooManyRequestsError | None:
    group = rules.address_group(client_address)
    async with database.begin() as unit:
        try:
            most = rules.SIGN_INS_PER_ADDRESS_MAX
            await limit(unit, "address.sign_ins", group, requests_max=most)
        except TooManyRequestsError as error:
            # Returned: raising would roll the count back.
            return error
    return None


async def _driver_of(unit: UnitOfWork, user: FirebaseUser) -> UUID:
    index = unit.vault.blind_index(UID_CONTEXT, user.uid)
    # Two phones that sign in for the first time at one moment make one account.
    await repository.lock_name(unit, f"firebase|{index}")
    known = await unit.session.get(FirebaseAccount, index)
    if known is not None:
        if not await _came_by_former_number(unit, user, known):
            return known.driver_id
        await unit.session.delete(known)
        await unit.session.flush()
    driver_id = await _first_driver(unit, user)
    now = unit.now()
    sealed = unit.vault.seal(user.uid, context=UID_CONTEXT)
    account = FirebaseAccount(
        uid_index=index, driver_id=driver_id, uid_sealed=sealed, linked_at=now
    )
    unit.session.add(account)
    return driver_id


async def _came_by_former_number(
    unit: UnitOfWork, user: FirebaseUser, account: FirebaseAccount
) -> bool:
    """Return whether they signed in by a number that the driver has exchanged here since.

    Who has the number now is the same Firebase user, and need not be the driver. One that was
    exchanged at Firebase instead is proven there by the driver.
    """
    if user.phone_number is None:
        return False
    index = phone_index(unit.vault, rules.normalise_phone(user.phone_number))
    numbers = await repository.numbers_of(unit, account.driver_id)
    return (
        bool(numbers)
        and index not in {one.phone_index for one in numbers}
        and all(one.verified_at > account.linked_at for one in numbers)
    )


async def _first_driver(unit: UnitOfWork, user: FirebaseUser) -> UUID:
    now = unit.now()
    if user.phone_number is None:
        return await repository.add_driver(unit, new_id(now))
    if user.authenticated_at + rules.CONFIRMED_PERIOD <= now:
        # A number changes hands; and the answer is the same whether or not it has an account.
        raise FirebaseSignInTooOldError
    number = rules.normalise_phone(user.phone_number)
    phone = PhoneNumber(
        phone_index=phone_index(unit.vault, number),
        driver_id=new_id(now),
        phone_sealed=unit.vault.seal(number, context=rules.PHONE_CONTEXT),
        verified_at=now,
    )
    return await repository.driver_of_phone(unit, phone)
