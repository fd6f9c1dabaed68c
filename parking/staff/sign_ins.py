"""A member's sign-ins: opening one, keeping it alive, ending it, and who it is at this moment.

How they proved who they are, the callers know: `parking.staff.oidc`, `parking.staff.passkeys`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.kit.token_errors import TokenRefusedError
from parking.kit.tokens import STAFF_REALM, RefreshToken, StaffToken, TokenIssuer
from parking.staff import repository, rules
from parking.staff.models import StaffMember, StaffSignIn
from parking.staff.rules import Role, SignInMethod, StaffIdentity


@dataclass(frozen=True, slots=True)
class StaffSignedIn:
    """A sign-in with its tokens; the refresh token is valid once."""

    operator_id: UUID
    member_id: UUID
    sign_in_id: UUID
    access_token: str = field(repr=False)
    access_expires_at: datetime
    refresh_token: str = field(repr=False)
    refresh_expires_at: datetime


async def open_sign_in(
    unit: UnitOfWork,
    tokens: TokenIssuer,
    member: StaffMember,
    *,
    method: SignInMethod,
    client: str,
) -> StaffSignedIn:
    """Sign a member in who has proved who they are; the oldest of too many sign-ins ends."""
    await repository.end_surplus(unit, member.operator_id, member.id)
    now = unit.now()
    refresh = RefreshToken.mint(unit.vault, member.operator_id, new_id(now), realm=STAFF_REALM)
    row = StaffSignIn(
        operator_id=member.operator_id,
        id=refresh.sign_in_id,
        member_id=member.id,
        method=method,
        client=_client_name(client),
        refresh_digest=refresh.digest(unit.vault),
        created_at=now,
        refreshed_at=now,
        expires_at=rules.sign_in_ends_at(now, now),
    )
    unit.session.add(row)
    return _signed_in(tokens, member.name, row, refresh)


async def refresh_sign_in(
    unit: UnitOfWork, tokens: TokenIssuer, refresh_token: str
) -> StaffSignedIn | TokenRefusedError:
    """Exchange a refresh token for new tokens; one that was exchanged before ends the sign-in.

    The refusal is returned: raising would roll that end back.
    """
    try:
        token = RefreshToken.read(unit.vault, refresh_token, realm=STAFF_REALM)
    except TokenRefusedError as error:
        return error
    found = await repository.find_identity(unit, token.owner_id, token.sign_in_id)
    row = await unit.session.get(StaffSignIn, (token.owner_id, token.sign_in_id))
    if found is None or row is None:
        return TokenRefusedError()
    fresh = RefreshToken.mint(unit.vault, token.owner_id, token.sign_in_id, realm=STAFF_REALM)
    expires_at = rules.sign_in_ends_at(row.created_at, unit.now())
    if not await repository.rotate_refresh(
        unit,
        row,
        old_digest=token.digest(unit.vault),
        new_digest=fresh.digest(unit.vault),
        expires_at=expires_at,
    ):
        await repository.end_sign_ins(unit, token.owner_id, sign_in_id=token.sign_in_id)
        return TokenRefusedError()
    row.expires_at = expires_at
    return _signed_in(tokens, found.name, row, fresh)


async def end_by_refresh(unit: UnitOfWork, refresh_token: str) -> None:
    """End the sign-in of a refresh token, whichever of its family it is. Idempotent."""
    try:
        token = RefreshToken.read(unit.vault, refresh_token, realm=STAFF_REALM)
    except TokenRefusedError:
        return
    await repository.end_sign_ins(unit, token.owner_id, sign_in_id=token.sign_in_id)


async def identify(unit: UnitOfWork, token: StaffToken) -> StaffIdentity:
    """Return who a token's member is at this moment.

    A token without a sign-in comes from `sesame staff token`: whoever can make one holds the key
    that signs every token, and sets the operator up.

    Raises:
        TokenRefusedError: the sign-in or the member has ended.
    """
    if token.sign_in_id is None:
        return StaffIdentity(
            token.operator_id, token.name, frozenset({Role.ADMIN}), token.expires_at
        )
    found = await repository.find_identity(unit, token.operator_id, token.sign_in_id)
    if found is None:
        raise TokenRefusedError
    known = {role.value for role in Role}
    places = None if found.place_ids is None else frozenset(map(UUID, found.place_ids))
    return StaffIdentity(
        operator_id=token.operator_id,
        name=found.name,
        # A role of a later version means nothing here.
        roles=frozenset(Role(role) for role in found.roles if role in known),
        expires_at=token.expires_at,
        member_id=found.id,
        sign_in_id=token.sign_in_id,
        places=places,
    )


def _signed_in(
    tokens: TokenIssuer, name: str, row: StaffSignIn, refresh: RefreshToken
) -> StaffSignedIn:
    access_token, access_expires_at = tokens.issue_member(row.operator_id, name, row.id)
    return StaffSignedIn(
        operator_id=row.operator_id,
        member_id=row.member_id,
        sign_in_id=row.id,
        access_token=access_token,
        access_expires_at=access_expires_at,
        refresh_token=refresh.text,
        refresh_expires_at=row.expires_at,
    )


def _client_name(client: str) -> str:
    return "".join(letter for letter in client if letter.isprintable())[: rules.CLIENT_LENGTH_MAX]
