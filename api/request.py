"""What one operation knows: who asks, from where, and under which correlation id."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import strawberry
from starlette.requests import HTTPConnection

from api.config import RECEIPTS_PER_OPERATION_MAX, ApiConfig
from api.correlation import correlation_id, new_correlation_id
from api.socket_places import SocketPlace
from parking.drivers import sign_in_check
from parking.flows import live_screen
from parking.flows.context import ParkingContext
from parking.flows.driver_view import SessionView
from parking.kit.errors import InvalidInputError
from parking.kit.token_errors import TokenExpiredError, TokenRefusedError
from parking.kit.tokens import DriverIdentity
from parking.staff import sign_ins
from parking.staff.rules import StaffIdentity

_BEARER = "bearer "


@dataclass(slots=True)
class RequestContext:
    """The surroundings of one operation.

    Attributes:
        token: As the client sent it, unverified; None without one.
        connection_params: What came with `connection_init`, on a WebSocket.
        place: The socket's; None on HTTP.
        receipts: How many this operation has asked for.
        loaders: What gathers the reads of a list, by name.
    """

    parking: ParkingContext
    config: ApiConfig
    client_address: str
    token: str | None = field(repr=False)
    connection_params: dict[str, object] | None = field(default=None, repr=False)
    place: SocketPlace | None = None
    receipts: int = 0
    loaders: dict[str, Any] = field(default_factory=dict[str, Any])
    _correlation_id: str | None = None
    _checked: DriverIdentity | None = None
    _proven: DriverIdentity | None = None
    _staff: StaffIdentity | None = None
    # Made when it is needed, as is the correlation id: a thousand sockets hold contexts that nobody
    # asks for either.
    _made_lock: asyncio.Lock | None = None

    @property
    def correlation_id(self) -> str:
        """What stands in the log and in a masked error, to find the one by the other."""
        if self._correlation_id is None:
            self._correlation_id = new_correlation_id()
        return self._correlation_id

    def for_operation(self) -> "RequestContext":
        """Return the same surroundings for another operation on the same socket."""
        return RequestContext(
            self.parking,
            self.config,
            self.client_address,
            self.token,
            self.connection_params,
            _proven=self._proven,
        )

    def of_driver(self, identity: DriverIdentity) -> "RequestContext":
        """Return the surroundings of what is made for every device of a checked driver."""
        context = self.of_nobody()
        context.know(identity)
        return context

    def present(self, token: str | None) -> None:
        """Take the token of a greeting in place of the one that came with the connection."""
        if token is not None:
            self.token, self._proven = token, None

    def know(self, identity: DriverIdentity) -> None:
        """Take it that this driver asks, whose sign-in was just seen to stand."""
        self._checked = identity

    def of_nobody(self) -> "RequestContext":
        """Return the surroundings of what is the same for everybody."""
        return RequestContext(self.parking, self.config, "", None)

    async def driver(self) -> DriverIdentity:
        """Return who is signed in; checked against the database once an operation.

        Raises:
            TokenExpiredError: the access token's time is over.
            TokenRefusedError: there is no token, or its sign-in has ended.
        """
        async with self._lock():
            if self._checked is None:
                self._checked = await self._check()
        return self._checked

    async def driver_id(self) -> UUID:
        """Return the signed-in driver's id; raises as `driver`."""
        return (await self.driver()).driver_id

    def claimed_driver(self) -> UUID | None:
        """Return whose token it is, though its sign-in may have ended; None for nobody's."""
        try:
            return self.identity().driver_id
        except TokenRefusedError:
            return None

    def claimed_staff(self) -> UUID | None:
        """Return whose staff token it is, by sign-in or operator; None where it is nobody's."""
        if self.token is None:
            return None
        try:
            token = self.config.tokens.verify_staff(self.token)
        except TokenRefusedError:
            return None
        return token.sign_in_id or token.operator_id

    def begin_again(self) -> None:
        """Forget what an execution that failed had begun; who asks stays known."""
        self.receipts = 0
        self.loaders = {}

    def count_receipt(self) -> None:
        """Let the operation have one more receipt: each takes a dozen statements and a signature.

        Raises:
            InvalidInputError: it has had RECEIPTS_PER_OPERATION_MAX.
        """
        self.receipts += 1
        if self.receipts > RECEIPTS_PER_OPERATION_MAX:
            raise InvalidInputError("receipt", f"at most {RECEIPTS_PER_OPERATION_MAX} at once")

    async def check_staff(self) -> StaffIdentity:
        """Find out which staff member asks; checked against the database once an operation.

        Raises:
            TokenExpiredError: the token's time is over.
            TokenRefusedError: there is no token of the staff realm, or its sign-in has ended.
        """
        async with self._lock():
            if self._staff is None:
                if self.token is None:
                    raise TokenRefusedError
                token = self.config.tokens.verify_staff(self.token)
                async with self.parking.database.begin() as unit:
                    self._staff = await sign_ins.identify(unit, token)
        return self._staff

    def staff(self) -> StaffIdentity:
        """Return which staff member asks, once `check_staff` knows: before every root field.

        Raises:
            TokenRefusedError: nobody was found out.
        """
        if self._staff is None:
            raise TokenRefusedError
        return self._staff

    async def look(self) -> tuple[UUID, list[SessionView] | None]:
        """Return who is signed in and their running stays, in one statement; raises as `driver`.

        Stays are None where it was known already who asks.
        """
        async with self._lock():
            if self._checked is not None:
                return self._checked.driver_id, None
            identity = self.identity()
            stays = await live_screen.look(self.parking, identity.driver_id, identity.sign_in_id)
            if stays is None:
                raise TokenRefusedError
            self._checked = identity
        return identity.driver_id, stays

    def _lock(self) -> asyncio.Lock:
        if self._made_lock is None:
            self._made_lock = asyncio.Lock()
        return self._made_lock

    async def _check(self) -> DriverIdentity:
        identity = self.identity()
        if not await sign_in_check.stands(self.parking.database, identity):
            raise TokenRefusedError
        return identity

    def identity(self) -> DriverIdentity:
        """Return what the token proves, which may have been taken back since; raises as `driver`.

        For whatever reads whether the sign-in stands by itself.
        """
        if self.token is None:
            raise TokenRefusedError
        if self._proven is None:
            self._proven = self.config.tokens.verify_driver(self.token)
        if self._proven.expires_at <= self.parking.clock.now():
            raise TokenExpiredError
        return self._proven


Info = strawberry.Info[RequestContext, None]


def open_context(
    connection: HTTPConnection, parking: ParkingContext, config: ApiConfig
) -> RequestContext:
    """Return the context of a request or of a socket."""
    client = connection.client
    return RequestContext(
        parking=parking,
        config=config,
        client_address=client.host if client else "",
        token=bearer_token(connection.headers.get("authorization")),
        _correlation_id=correlation_id(connection.scope),
    )


def bearer_token(header: object) -> str | None:
    """Return the token of an `Authorization` value, if it has one."""
    if not isinstance(header, str) or not header.lower().startswith(_BEARER):
        return None
    return header[len(_BEARER) :].strip() or None
