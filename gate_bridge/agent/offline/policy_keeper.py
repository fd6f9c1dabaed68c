"""Fetches the lane's policy, believes it only with the right signature, and keeps it."""

import asyncio
import base64
import binascii
from typing import Protocol, TypeVar
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gate_bridge.agent.offline.rules import Spent
from gate_bridge.agent.offline.store import OfflineStore, StoredPolicy
from gate_bridge.agent.reports import Reporter
from gate_bridge.wire.fields import WireModel
from gate_bridge.wire.offline import FetchPolicy, FetchPolicyResult
from parking.kit.errors import ParkingError
from parking.offline.bundle import PolicyBundle, PolicyRefusedError, open_bundle

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ResultT = TypeVar("ResultT", bound=WireModel)
# The policy may be replaced between two parts: then its fetching begins again.
FETCHES_MAX = 3
_UNSENT_POLL_S = 0.2


class AskingSession(Protocol):
    """What fetching needs of a connection."""

    async def ask(self, call: WireModel, model: type[ResultT]) -> ResultT:
        """Call the bridge and return what it answers."""
        ...


class PolicyKeeper:
    """Holds the newest policy that this lane may use.

    Attributes:
        policy: None before there is one.
    """

    def __init__(self, lane_id: UUID, store: OfflineStore, report: Reporter) -> None:
        self._lane_id = lane_id
        self._store = store
        self._report = report
        self._wanted = asyncio.Event()
        self._announced = 0
        self.policy: PolicyBundle | None = None

    async def start(self) -> None:
        """Read what was stored; a file that was tampered with holds no policy."""
        stored, key = await self._store.policy(), await self._store.pinned_key()
        if stored is None or key is None:
            return
        try:
            self.policy = await self._opened(stored.bundle, stored.signature, key)
        except PolicyRefusedError as error:
            await self._store.distrust_policy()
            self._refuse(error)

    def version(self) -> int:
        """Return which version is held; 0 for none."""
        return 0 if self.policy is None else self.policy.version

    def announced(self, version: int) -> None:
        """Note that the bridge has this version."""
        self._announced = version
        self._wanted.set()

    async def run(self, session: AskingSession) -> None:
        """Fetch what is announced over one connection, until cancelled."""
        while True:
            await self._wanted.wait()
            # First of all: one that is taken from here on is noticed when the policy is stored.
            decisions = await self._store.decisions()
            # A policy that does not know yet what was decided would allow it all again.
            if await self._store.has_unsent_decisions():
                await asyncio.sleep(_UNSENT_POLL_S)
                continue
            self._wanted.clear()
            if self._announced == self.version() and await self._store.spent() == Spent():
                continue
            try:
                await self.fetch(session, decisions)
            except PolicyRefusedError as error:
                self._refuse(error)
            except ParkingError as error:
                # It is announced again in a few minutes.
                _log.warning("policy_not_fetched", error=str(error))

    async def fetch(self, session: AskingSession, decisions: int | None = None) -> None:
        """Fetch the newest policy and keep it.

        Args:
            session: The connection.
            decisions: What the store's `decisions` said before, all of them committed.

        Raises:
            PolicyRefusedError: it may not be used here; the one before stays.
            ParkingError: the bridge does not give it, or the gate decided meanwhile.
        """
        for _ in range(FETCHES_MAX):
            first = await self._part(session, 0)
            if first.version == self.version():
                # It says the same as before, and the bridge knows of every decision by now.
                await self._store.forget_spent(decisions)
                self._tell()
            if not first.chunks or first.version == self.version():
                return
            rest = [await self._part(session, number) for number in range(1, first.chunks)]
            parts = [first, *rest]
            if all(part.version == first.version for part in parts):
                await self.accept(
                    b"".join(_bytes(part.data) for part in parts),
                    _bytes(first.signature),
                    _bytes(first.public_key),
                    decisions,
                )
                return

    async def accept(
        self, raw: bytes, signature: bytes, public_key: bytes, decisions: int | None = None
    ) -> None:
        """Keep a policy, if it is signed by the known key, for this lane, and newer.

        Raises:
            PolicyRefusedError: it is not.
            DecidedMeanwhileError: the gate decided since there were so many decisions.
        """
        pinned = await self._store.pinned_key()
        if pinned is not None and pinned != public_key:
            raise PolicyRefusedError("public_key: expected the key of the policies before")
        policy = await self._opened(raw, signature, public_key)
        if policy.version <= self.version():
            raise PolicyRefusedError(f"version: expected more than {self.version()}")
        stored = StoredPolicy(policy.version, raw, signature)
        if not await self._store.store_policy(stored, public_key, decisions):
            raise PolicyRefusedError("version: expected more than that of the stored policy")
        self.policy = policy
        self._tell()

    async def _part(self, session: AskingSession, number: int) -> FetchPolicyResult:
        return await session.ask(
            FetchPolicy(have_version=self.version(), chunk=number), FetchPolicyResult
        )

    async def _opened(self, raw: bytes, signature: bytes, public_key: bytes) -> PolicyBundle:
        try:
            key = Ed25519PublicKey.from_public_bytes(public_key)
        except ValueError as error:
            raise PolicyRefusedError("public_key: expected 32 bytes") from error
        # Ten thousand plates take a moment, in which a barrier's feedback must not wait.
        return await asyncio.to_thread(open_bundle, raw, signature, key, lane_id=self._lane_id)

    def _tell(self) -> None:
        plates = 0 if self.policy is None else len(self.policy.plates)
        self._report({"event": "policy", "version": self.version(), "plates": plates})

    def _refuse(self, error: PolicyRefusedError) -> None:
        _log.error("policy_refused", error=str(error))
        self._report({"event": "policy_refused", "error": str(error)})


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise PolicyRefusedError("data: expected base64") from error
