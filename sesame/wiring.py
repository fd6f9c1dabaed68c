"""Puts the domain together from the settings; every process starts here."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from parking.events.bus import Bus, open_valkey
from parking.flows.context import ParkingContext
from parking.flows.retention.policy import Policy, read_policy
from parking.gates.authority import GateAuthority, read_authority
from parking.invoices.fapiao.adapter import FapiaoSettings, HttpFapiaoService
from parking.invoices.fapiao.port import FapiaoService
from parking.kit.clock import Clock, SystemClock
from parking.kit.crypto import Vault
from parking.kit.database import Database
from parking.kit.errors import InvalidInputError
from parking.kit.tokens import TokenIssuer
from parking.payments.receipt import ReceiptSigner
from parking.payments.receipt_keys import read_private_key, read_public_keys
from recognition.models import deciding_thresholds
from sesame.providers import payment_providers
from sesame.settings import Settings

CONNECTIONS_MAX = 10


@asynccontextmanager
async def open_context(
    settings: Settings, *, connections_max: int = CONNECTIONS_MAX, clock: Clock | None = None
) -> AsyncGenerator[ParkingContext]:
    """Connect the domain to its surroundings, for the length of the block.

    Args:
        settings: Of this process.
        connections_max: To the database.
        clock: What tells the time; the machine's if None.

    Raises:
        InvalidInputError: a needed setting is missing; it names the variable.
    """
    field_key, index_key = settings.require_keys()
    vault = Vault(field_key=field_key, index_key=index_key)
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        redis = open_valkey(settings.require_redis_url())
        stack.push_async_callback(redis.aclose)
        bus = Bus(redis)
        stack.push_async_callback(bus.close)
        database = Database(
            settings.require_database_url(),
            clock=clock,
            vault=vault,
            connections_max=connections_max,
            after_events=bus.wake_relay,
        )
        stack.push_async_callback(database.close)
        providers = payment_providers(settings, clock=clock)
        for provider in providers.values():
            stack.push_async_callback(provider.aclose)
        fapiao = _fapiao_service(settings, clock=clock)
        if fapiao is not None:
            stack.push_async_callback(fapiao.aclose)
        yield ParkingContext(
            database=database,
            clock=clock,
            vault=vault,
            bus=bus,
            providers=providers,
            checkout_provider=next(
                (name for name, provider in providers.items() if provider.traits.has_checkout), None
            ),
            public_url=settings.public_url.rstrip("/"),
            deciding_thresholds=deciding_thresholds(),
            receipts=receipt_signer(settings),
            fapiao=fapiao,
            gate_authority=gate_authority(settings),
            retention=retention_policy(settings),
        )


def retention_policy(settings: Settings) -> Policy:
    """Return how long what is kept: as the settings' file says, or the defaults.

    Raises:
        InvalidInputError: the file is unreadable, or says something else.
    """
    file = settings.retention_file
    if file is None:
        return Policy()
    return read_policy(_content(file, "SESAME_RETENTION_FILE").decode(errors="replace"))


def receipt_signer(settings: Settings) -> ReceiptSigner | None:
    """Return what signs receipts with the key of SESAME_RECEIPT_KEY_FILE; None without one.

    Raises:
        InvalidInputError: a file is unreadable, or holds other keys than Ed25519 ones.
    """
    if settings.receipt_key_file is None:
        return None
    name = "SESAME_RECEIPT_KEY_FILE"
    key = read_private_key(_content(settings.receipt_key_file, name), field=name)
    if settings.receipt_retired_keys_file is None:
        return ReceiptSigner(key)
    name = "SESAME_RECEIPT_RETIRED_KEYS_FILE"
    retired = read_public_keys(_content(settings.receipt_retired_keys_file, name), field=name)
    return ReceiptSigner(key, retired)


def gate_authority(settings: Settings) -> GateAuthority | None:
    """Return the authority of the settings' files; None where the database keeps it.

    Raises:
        InvalidInputError: only one file is set, or a file holds something else.
    """
    files = (settings.gates_ca_file, settings.gates_ca_key_file)
    names = ("SESAME_GATES_CA_FILE", "SESAME_GATES_CA_KEY_FILE")
    if files == (None, None):
        return None
    for file, name in zip(files, names, strict=True):
        if file is None:
            raise InvalidInputError(name, "a file, as the other of the two has one")
    certificates, key = (
        _content(file, name) for file, name in zip(files, names, strict=True) if file
    )
    return read_authority(certificates, key, fields=names)


def _content(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(name, f"a readable file, {error.strerror}") from error


def _fapiao_service(settings: Settings, *, clock: Clock) -> FapiaoService | None:
    known = settings.fapiao()
    if known is None:
        return None
    return HttpFapiaoService(
        FapiaoSettings(base_url=known.url, account=known.account, secret=known.secret), clock
    )


def token_issuer(settings: Settings) -> TokenIssuer:
    """Return what signs tokens with the key of SESAME_TOKEN_KEY_FILE.

    Raises:
        InvalidInputError: the key is missing, unreadable, or of another kind.
    """
    name = "SESAME_TOKEN_KEY_FILE"
    if settings.token_key_file is None:
        raise InvalidInputError(name, "a value in the environment; docs/embedded.md says how")
    return TokenIssuer(_content(settings.token_key_file, name), clock=SystemClock())
