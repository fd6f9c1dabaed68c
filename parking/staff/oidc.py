"""Signing in through the operator's own provider."""

import secrets
from dataclasses import asdict, dataclass, field
from typing import Final

from parking.kit.clock import Clock
from parking.kit.crypto import same_digest
from parking.kit.database import Database, UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.tokens import TokenIssuer
from parking.staff import attempts, repository, sign_ins
from parking.staff.acting import Act
from parking.staff.errors import StaffSignInRefusedError
from parking.staff.members import email_index
from parking.staff.models import StaffMember
from parking.staff.provider import Account, Asked, OidcProvider
from parking.staff.rules import Role, SignInMethod, StaffIdentity
from parking.staff.sign_ins import StaffSignedIn

KIND: Final = "oidc"
CODE_LENGTH_MAX: Final = 2048
_SECRET_BYTES: Final = 32
_PROVIDER_INDEX: Final = "staff.provider"


@dataclass(frozen=True, slots=True)
class Returned:
    """What the browser brings back.

    Attributes:
        kept: What `begin` gave it.
        issuer: Who says that it answers (RFC 9207).
    """

    kept: str | None = field(repr=False)
    state: str | None
    code: str | None = field(repr=False)
    issuer: str | None


@dataclass(frozen=True, slots=True)
class Client:
    """Whoever signs in, as the record of acts names it."""

    name: str
    correlation_id: str


async def begin(
    database: Database, provider: OidcProvider, *, redirect_uri: str, return_to: str
) -> tuple[str, str]:
    """Return where the browser goes, and what it keeps until it comes back.

    Raises:
        ProviderUnavailableError: the provider does not answer.
    """
    state, nonce, verifier = (secrets.token_urlsafe(_SECRET_BYTES) for _ in range(3))
    asked = Asked(state=state, nonce=nonce, verifier=verifier, redirect_uri=redirect_uri)
    url = await provider.authorization_url(asked)
    content = {**asdict(asked), "return_to": return_to}
    return url, attempts.begin(database.vault, KIND, content, database.clock.now())


async def finish(
    database: Database,
    provider: OidcProvider,
    tokens: TokenIssuer,
    returned: Returned,
    client: Client,
) -> tuple[StaffSignedIn, str]:
    """Sign in whom the provider names; returns where the browser wanted to go, too.

    Raises:
        StaffSignInRefusedError: another browser began it, it was taken, it is too old, or the
            account is nobody's who works here.
        ProviderUnavailableError: the provider does not answer.
    """
    content = await attempts.take(database, KIND, returned.kept)
    return_to = content.pop("return_to")
    asked = Asked(**content)
    if returned.state is None or not same_digest(asked.state.encode(), returned.state.encode()):
        raise StaffSignInRefusedError
    await provider.require_own(returned.issuer)
    if not returned.code or len(returned.code) > CODE_LENGTH_MAX:
        raise StaffSignInRefusedError
    account = await provider.exchange(returned.code, asked)
    async with database.begin() as unit:
        member = await _member_of(unit, provider, account)
        signed_in = await open_for(
            unit, tokens, member, method=SignInMethod.OIDC, client=client, clock=database.clock
        )
    return signed_in, return_to


async def open_for(
    unit: UnitOfWork,
    tokens: TokenIssuer,
    member: StaffMember,
    *,
    method: SignInMethod,
    client: Client,
    clock: Clock,
) -> StaffSignedIn:
    """Open a sign-in of a proven member, and keep that they came."""
    signed_in = await sign_ins.open_sign_in(unit, tokens, member, method=method, client=client.name)
    who = StaffIdentity(
        operator_id=member.operator_id,
        name=member.name,
        roles=frozenset(Role(role) for role in member.roles),
        expires_at=signed_in.access_expires_at,
        member_id=member.id,
    )
    told = {"method": method.value, "client": client.name}
    await Act(who, "signIn", told, client.correlation_id, clock).record(unit)
    return signed_in


async def _member_of(unit: UnitOfWork, provider: OidcProvider, account: Account) -> StaffMember:
    """Return whose account it is; at the first time the verified address says it."""
    index = unit.vault.blind_index(_PROVIDER_INDEX, f"{provider.issuer}|{account.subject}")
    member = await repository.find_active(unit, provider_index=index)
    if member is not None:
        return member
    try:
        address = None if account.email is None else email_index(unit.vault, account.email)
    except InvalidInputError as error:
        raise StaffSignInRefusedError from error
    member = None if address is None else await repository.find_active(unit, email_index=address)
    # An address that changed hands at the provider does not open its former owner's membership.
    if member is None or member.provider_index is not None:
        raise StaffSignInRefusedError
    member.provider_index = index
    unit.session.add(member)
    return member
