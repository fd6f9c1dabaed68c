"""What a provider can do."""

from dataclasses import dataclass
from enum import StrEnum

NOTICE_BYTES_MAX = 64 * 1024


class AccountKind(StrEnum):
    """What the money is taken from."""

    WALLET = "wallet"
    CARD = "card"
    ETC = "etc"
    BANK = "bank"


class PayerDevice(StrEnum):
    """What a bill's page is open on: a screen, a phone's browser, or the provider's own app."""

    SCREEN = "screen"
    PHONE = "phone"
    APP = "app"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTraits:
    """What a provider can do, so that no flow has to know its name.

    Attributes:
        settles_at_gate: Whether its answer to a charge comes while the car waits, and is proof. A
            bank debit is not: its bill is owed on credit, and collected after departure.
        needs_plate: Agreements and charges name the plate, so a mandate is for one plate.
        needs_payer: `AgreementRequest.payer_id` must be given.
        needs_antenna: Charges are taken through the antenna of the lane that the car stands in.
        announces_stays: It wants to be told of a car that is inside: it is a `StayListener` too.
        announces_departures: It is also told when the car has left.
        payer_ends_agreements: Only the payer can end an agreement, on the provider's own pages:
            `cancel_agreement` changes nothing there and says how it stands.
        currencies: Empty for any.
        charge_minor_max: The most that one charge may take, where the provider publishes it.
        day_minor_max: The most that one agreement may be charged a day.
        day_charges_max: How often one agreement may be charged a day.
        devices: Those besides SCREEN for which its payment page is another one. With APP it also
            is a `PayerFinder`.
        timezone: Whose days its settlement files and its daily limits are about.
        notice_bytes_max: How long one delivery of its notices may be.
    """

    account: AccountKind
    settles_at_gate: bool = True
    has_agreements: bool = True
    has_checkout: bool = True
    needs_plate: bool = False
    needs_payer: bool = False
    needs_antenna: bool = False
    announces_stays: bool = False
    announces_departures: bool = False
    payer_ends_agreements: bool = False
    currencies: frozenset[str] = frozenset()
    charge_minor_max: int | None = None
    day_minor_max: int | None = None
    day_charges_max: int | None = None
    devices: frozenset[PayerDevice] = frozenset()
    timezone: str = "UTC"
    notice_bytes_max: int = NOTICE_BYTES_MAX
