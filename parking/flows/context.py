"""What every flow needs, put together once by the process."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from parking.events.bus import Bus
from parking.flows.retention.policy import Policy
from parking.gates.authority import GateAuthority
from parking.invoices.fapiao.port import FapiaoService
from parking.kit.clock import Clock
from parking.kit.crypto import Vault
from parking.kit.database import Database
from parking.payments.errors import ProviderMissingError, ReceiptsUnavailableError
from parking.payments.port import PaymentProvider
from parking.payments.receipt import ReceiptSigner


@dataclass(frozen=True, slots=True)
class ParkingContext:
    """The domain's surroundings.

    Attributes:
        providers: By name; a mandate or an attempt names the one that it belongs to.
        checkout_provider: The name of the one whose payment page a QR code leads to; None where
            no provider is configured.
        public_url: Where phones reach the API, without a slash at the end.
        deciding_thresholds: What a read must be worth to be believed in a dispute, by the weights
            or the camera that made it.
        receipts: Signs receipts; None where this process was given no key.
        gate_authority: Signs certificates of gates; None for the one that the database keeps.
        retention: How long each kind of data is kept.
    """

    database: Database
    clock: Clock
    vault: Vault
    bus: Bus
    providers: Mapping[str, PaymentProvider]
    checkout_provider: str | None
    public_url: str
    deciding_thresholds: Mapping[str, float] = field(default_factory=dict[str, float])
    receipts: ReceiptSigner | None = None
    fapiao: FapiaoService | None = None
    gate_authority: GateAuthority | None = None
    retention: Policy = field(default_factory=Policy)

    def receipt_signer(self) -> ReceiptSigner:
        """Return what signs receipts.

        Raises:
            ReceiptsUnavailableError: this process was given no key.
        """
        if self.receipts is None:
            raise ReceiptsUnavailableError("receipts: expected SESAME_RECEIPT_KEY_FILE to be set")
        return self.receipts

    def provider(self, name: str) -> PaymentProvider:
        """Return the provider called `name`.

        Raises:
            ProviderMissingError: this process was not given it, though a row names it.
        """
        if name not in self.providers:
            raise ProviderMissingError(name)
        return self.providers[name]
