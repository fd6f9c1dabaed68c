"""Passkeys: registered by an invitation, and a way in without any provider (WebAuthn level 3).

The device checks the person (user verification); we check the origin, the site, the challenge,
the signature and the device's counter.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, select
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from parking.kit.crypto import same_digest
from parking.kit.database import Database, UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.kit.token_errors import TokenRefusedError
from parking.kit.tokens import RefreshToken, TokenIssuer
from parking.staff import attempts, repository
from parking.staff.errors import StaffMemberUnknownError, StaffSignInRefusedError
from parking.staff.models import StaffInvitation, StaffMember, StaffPasskey
from parking.staff.oidc import Client, open_for
from parking.staff.rules import SignInMethod, checked_name
from parking.staff.sign_ins import StaffSignedIn

INVITATION_PERIOD: Final = timedelta(days=1)
PASSKEYS_PER_MEMBER_MAX: Final = 10
CREDENTIAL_ID_BYTES_MAX: Final = 1023
SITE_NAME: Final = "Sesame"
_REALM: Final = "staff.invitation"
_REGISTRATION: Final = "passkey.registration"
_SIGN_IN: Final = "passkey.sign_in"
_CHALLENGE: Final = "challenge"
_TOKEN: Final = "token"  # noqa: S105 - a field's name


@dataclass(frozen=True, slots=True)
class Site:
    """Where passkeys are for: a page elsewhere gets nothing signed for it."""

    origin: str
    host: str

    @classmethod
    def of(cls, public_url: str) -> "Site":
        """Return the site that browsers reach us by."""
        parts = urlsplit(public_url)
        return cls(f"{parts.scheme}://{parts.netloc}", parts.hostname or "")


@dataclass(frozen=True, slots=True)
class Invitation:
    """A secret by which a member registers a passkey, once, until `expires_at`."""

    token: str = field(repr=False)
    expires_at: datetime


async def invite(unit: UnitOfWork, operator_id: UUID, member_id: UUID, *, by: str) -> Invitation:
    """Let a member register a passkey.

    Raises:
        StaffMemberUnknownError: the operator has no such member.
    """
    member = await repository.find_member(unit, operator_id, member_id)
    if member is None or member.ended_at is not None:
        raise StaffMemberUnknownError
    now = unit.now()
    token = RefreshToken.mint(unit.vault, operator_id, new_id(now), realm=_REALM)
    row = StaffInvitation(
        operator_id=operator_id,
        id=token.sign_in_id,
        member_id=member_id,
        token_digest=token.digest(unit.vault),
        invited_by=by,
        expires_at=now + INVITATION_PERIOD,
    )
    unit.session.add(row)
    return Invitation(token.text, row.expires_at)


async def registration_options(database: Database, site: Site, token: str) -> tuple[str, str]:
    """Return what the browser makes a passkey with (JSON), and what it keeps meanwhile.

    Raises:
        StaffSignInRefusedError: the invitation is none of ours, used, or too old.
    """
    async with database.begin() as unit:
        _, member = await _invited(unit, token)
        known = await _of_member(unit, member.operator_id, member.id)
    options = generate_registration_options(
        rp_id=site.host,
        rp_name=SITE_NAME,
        user_id=_handle(member),
        user_name=member.name,
        user_display_name=member.name,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in known],
    )
    content = {_CHALLENGE: _text(options.challenge), _TOKEN: token}
    kept = attempts.begin(database.vault, _REGISTRATION, content, database.clock.now())
    return options_to_json(options), kept


async def register(
    database: Database,
    tokens: TokenIssuer,
    site: Site,
    client: Client,
    *,
    kept: str | None,
    credential: dict[str, Any],
    name: str,
) -> StaffSignedIn:
    """Store a passkey by an invitation, which is used up, and sign its member in.

    Raises:
        StaffSignInRefusedError: the invitation or what the browser made does not hold.
        InvalidInputError: the passkey's name is unusable.
    """
    called = checked_name(name)
    content = await attempts.take(database, _REGISTRATION, kept)
    try:
        made = verify_registration_response(
            credential=credential,
            expected_challenge=_bytes(content[_CHALLENGE]),
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise StaffSignInRefusedError from error
    if len(made.credential_id) > CREDENTIAL_ID_BYTES_MAX:
        raise StaffSignInRefusedError
    async with database.begin() as unit:
        invitation, member = await _invited(unit, content[_TOKEN])
        await _use(unit, invitation)
        known = await _of_member(unit, member.operator_id, member.id)
        if len(known) >= PASSKEYS_PER_MEMBER_MAX:
            raise InvalidInputError("name", f"at most {PASSKEYS_PER_MEMBER_MAX} passkeys a member")
        unit.session.add(
            StaffPasskey(
                operator_id=member.operator_id,
                id=new_id(unit.now()),
                member_id=member.id,
                credential_id=made.credential_id,
                public_key=made.credential_public_key,
                sign_count=made.sign_count,
                name=called,
                registered_at=unit.now(),
            )
        )
        return await open_for(
            unit, tokens, member, method=SignInMethod.PASSKEY, client=client, clock=database.clock
        )


def sign_in_options(database: Database, site: Site) -> tuple[str, str]:
    """Return what the browser looks for a passkey with (JSON), and what it keeps meanwhile."""
    options = generate_authentication_options(
        rp_id=site.host, user_verification=UserVerificationRequirement.REQUIRED
    )
    content = {_CHALLENGE: _text(options.challenge)}
    kept = attempts.begin(database.vault, _SIGN_IN, content, database.clock.now())
    return options_to_json(options), kept


async def sign_in(
    database: Database,
    tokens: TokenIssuer,
    site: Site,
    client: Client,
    *,
    kept: str | None,
    credential: dict[str, Any],
) -> StaffSignedIn:
    """Sign in whose passkey it is.

    Raises:
        StaffSignInRefusedError: it is nobody's who works here, or does not hold: a counter that
            does not grow is a copy's.
    """
    content = await attempts.take(database, _SIGN_IN, kept)
    async with database.begin() as unit:
        passkey, member = await _owner(unit, credential)
        try:
            proven = verify_authentication_response(
                credential=credential,
                expected_challenge=_bytes(content[_CHALLENGE]),
                expected_rp_id=site.host,
                expected_origin=site.origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError) as error:
            raise StaffSignInRefusedError from error
        await _count(unit, passkey, proven.new_sign_count)
        return await open_for(
            unit, tokens, member, method=SignInMethod.PASSKEY, client=client, clock=database.clock
        )


async def end_of_member(unit: UnitOfWork, operator_id: UUID, member_id: UUID) -> int:
    """End every passkey of a member, whose device is lost; returns how many ended now.

    So do their invitations: who has the device may have their mail, too.
    """
    await unit.run(
        update(StaffInvitation)
        .where(col(StaffInvitation.operator_id) == operator_id)
        .where(col(StaffInvitation.member_id) == member_id, col(StaffInvitation.used_at).is_(None))
        .where(col(StaffInvitation.expires_at) > unit.now())
        .values(expires_at=unit.now())
    )
    ended = await unit.run(
        update(StaffPasskey)
        .where(col(StaffPasskey.operator_id) == operator_id)
        .where(col(StaffPasskey.member_id) == member_id, col(StaffPasskey.ended_at).is_(None))
        .values(ended_at=unit.now())
    )
    return ended.rowcount


async def _invited(unit: UnitOfWork, text: str) -> tuple[StaffInvitation, StaffMember]:
    try:
        token = RefreshToken.read(unit.vault, text, realm=_REALM)
    except TokenRefusedError as error:
        raise StaffSignInRefusedError from error
    row = await unit.session.get(StaffInvitation, (token.owner_id, token.sign_in_id))
    if row is None or row.used_at is not None or row.expires_at <= unit.now():
        raise StaffSignInRefusedError
    member = await repository.find_member(unit, row.operator_id, row.member_id)
    is_theirs = same_digest(row.token_digest, token.digest(unit.vault))
    if member is None or member.ended_at is not None or not is_theirs:
        raise StaffSignInRefusedError
    return row, member


async def _use(unit: UnitOfWork, invitation: StaffInvitation) -> None:
    used = await unit.run(
        update(StaffInvitation)
        .where(col(StaffInvitation.operator_id) == invitation.operator_id)
        .where(col(StaffInvitation.id) == invitation.id, col(StaffInvitation.used_at).is_(None))
        .values(used_at=unit.now())
    )
    if used.rowcount != 1:
        raise StaffSignInRefusedError


async def _of_member(
    unit: UnitOfWork, operator_id: UUID, member_id: UUID
) -> Sequence[StaffPasskey]:
    statement = (
        select(StaffPasskey)
        .where(col(StaffPasskey.operator_id) == operator_id)
        .where(col(StaffPasskey.member_id) == member_id, col(StaffPasskey.ended_at).is_(None))
        .limit(PASSKEYS_PER_MEMBER_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def _owner(unit: UnitOfWork, credential: dict[str, Any]) -> tuple[StaffPasskey, StaffMember]:
    try:
        credential_id = _bytes(credential["rawId"])
        response = cast("dict[str, object]", credential["response"])
        handle = _bytes(str(response["userHandle"]))
    except (KeyError, TypeError, ValueError) as error:
        raise StaffSignInRefusedError from error
    statement = select(StaffPasskey).where(
        col(StaffPasskey.credential_id) == credential_id, col(StaffPasskey.ended_at).is_(None)
    )
    passkey = (await unit.session.exec(statement)).one_or_none()
    if passkey is None:
        raise StaffSignInRefusedError
    member = await repository.find_member(unit, passkey.operator_id, passkey.member_id)
    if member is None or member.ended_at is not None or handle != _handle(member):
        raise StaffSignInRefusedError
    return passkey, member


async def _count(unit: UnitOfWork, passkey: StaffPasskey, sign_count: int) -> None:
    """Keep the counter; of two answers with one count at once, one is a copy's."""
    counted = await unit.run(
        update(StaffPasskey)
        .where(col(StaffPasskey.operator_id) == passkey.operator_id)
        .where(col(StaffPasskey.id) == passkey.id)
        .where(col(StaffPasskey.sign_count) == passkey.sign_count)
        .values(sign_count=sign_count, used_at=unit.now())
    )
    if counted.rowcount != 1:
        raise StaffSignInRefusedError


def _handle(member: StaffMember) -> bytes:
    return member.operator_id.bytes + member.id.bytes


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, TypeError) as error:
        raise ValueError("expected base64url") from error
