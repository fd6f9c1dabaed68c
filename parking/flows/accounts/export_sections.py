"""What an account's export holds, list by list. docs/identity.md says what each is.

Columns become fields in camel case; what ends in `_sealed` is opened, and loses its ending.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from parking.disputes.service import COMMENT_CONTEXT, WORDS_CONTEXT
from parking.drivers.firebase_sign_in import UID_CONTEXT
from parking.drivers.rules import PHONE_CONTEXT
from parking.invoices.service import SEAL_CONTEXT
from parking.payments.mandates import TERMS_CONTEXT
from parking.plates.service import PLATE_CONTEXT


@dataclass(frozen=True, slots=True)
class Section:
    """One list of the export.

    Attributes:
        sql: Of our own, ordered, with the parameter `driver_id`.
        sealed: Under which context each sealed column was sealed.
        json: Columns that hold JSON, or JSON that was sealed.
    """

    name: str
    sql: str
    sealed: Mapping[str, str] = field(default_factory=dict[str, str])
    json: frozenset[str] = frozenset()


_STAYS: Final = """
    FROM driver_stays AS mine
    JOIN sessions ON sessions.operator_id = mine.operator_id AND sessions.id = mine.session_id
"""
# Bills of the driver's stays and passes; `bills` has no index by driver.
_BILLS: Final = """
    SELECT bills.operator_id, bills.id FROM driver_stays AS mine
    JOIN bills ON bills.operator_id = mine.operator_id AND bills.session_id = mine.session_id
    WHERE mine.driver_id = :driver_id
    UNION
    SELECT bills.operator_id, bills.id FROM driver_rights AS mine
    JOIN bills ON bills.operator_id = mine.operator_id AND bills.pass_id = mine.right_id
    WHERE mine.driver_id = :driver_id
"""
_PERSON: Final = (
    Section("account", "SELECT locale, created_at FROM drivers WHERE id = :driver_id"),
    Section(
        "phoneNumbers",
        "SELECT phone_sealed, verified_at FROM phone_numbers WHERE driver_id = :driver_id"
        " ORDER BY verified_at",
        {"phone_sealed": PHONE_CONTEXT},
    ),
    Section(
        "firebaseAccounts",
        "SELECT uid_sealed, linked_at FROM firebase_accounts WHERE driver_id = :driver_id"
        " ORDER BY linked_at",
        {"uid_sealed": UID_CONTEXT},
    ),
    Section(
        "signIns",
        "SELECT device_name, created_at, authenticated_at, refreshed_at, expires_at, revoked_at"
        " FROM sign_ins WHERE driver_id = :driver_id ORDER BY id",
    ),
    Section(
        "devices",
        "SELECT target_kind, platform, registered_at, disabled_at FROM devices"
        " WHERE driver_id = :driver_id ORDER BY id",
    ),
    Section(
        "plates",
        "SELECT plate_sealed, bound_at, unbound_at FROM driver_plates"
        " WHERE driver_id = :driver_id ORDER BY binding_id",
        {"plate_sealed": PLATE_CONTEXT},
    ),
    Section(
        "plateClaims",
        "SELECT plate_sealed, state, created_at, expires_at, decided_at, pictures"
        " FROM binding_claims WHERE driver_id = :driver_id ORDER BY id",
        {"plate_sealed": PLATE_CONTEXT},
    ),
)
_MONEY: Final = (
    Section(
        "authorizations",
        "SELECT id, provider, state, payer_hint, amount_minor_max, day_minor_max, currency,"
        " plate_sealed, created_at, confirmed_at, signed_at, activated_at, revoked_at"
        " FROM mandates WHERE driver_id = :driver_id ORDER BY id",
        {"plate_sealed": PLATE_CONTEXT},
    ),
    Section(
        "confirmedTerms",
        "SELECT mandate_id, revision, locale, terms_sealed, confirmed_at FROM mandate_consents"
        " WHERE driver_id = :driver_id ORDER BY id",
        {"terms_sealed": TERMS_CONTEXT},
    ),
    Section(
        "stays",
        "SELECT mine.session_id AS id, operators.name AS operator, places.name AS place,"
        f" sessions.plate_sealed, sessions.state, mine.entered_at, mine.left_at {_STAYS}"
        " JOIN operators ON operators.id = mine.operator_id"
        " JOIN places ON places.operator_id = mine.operator_id AND places.id = sessions.place_id"
        " WHERE mine.driver_id = :driver_id ORDER BY mine.session_id",
        {"plate_sealed": PLATE_CONTEXT},
    ),
    Section(
        "bills",
        "SELECT id, session_id AS stay_id, pass_id, version, state, total_minor, currency, lines,"  # noqa: S608 - our own names
        f" issued_at, paid_at FROM bills WHERE (operator_id, id) IN ({_BILLS}) ORDER BY id",
        json=frozenset({"lines"}),
    ),
    Section(
        "payments",
        "SELECT bill_id, provider, kind, amount_minor, currency, state, sent_at, finished_at"  # noqa: S608 - our own names
        f" FROM payment_attempts WHERE (operator_id, bill_id) IN ({_BILLS}) ORDER BY id",
    ),
    Section(
        "refunds",
        "SELECT bill_id, provider, amount_minor, currency, state, reason, requested_at,"  # noqa: S608 - our own names
        f" finished_at FROM refunds WHERE (operator_id, bill_id) IN ({_BILLS}) ORDER BY id",
    ),
    Section(
        "owed",
        "SELECT id AS bill_id, amount_minor, currency, owed_at FROM owed_bills"
        " WHERE driver_id = :driver_id ORDER BY id",
    ),
    Section(
        "credit",
        "SELECT operators.name AS operator, currency, used_minor, limit_minor, frozen_at"
        " FROM credit_accounts JOIN operators ON operators.id = operator_id"
        " WHERE driver_id = :driver_id ORDER BY operator_id, currency",
    ),
    Section(
        "passes",
        "SELECT mine.right_id AS id, sold.name, held.state, held.renews, held.starts_at,"
        " held.paid_until, held.price_minor, held.created_at, held.ended_at"
        " FROM driver_rights AS mine"
        " JOIN assigned_rights AS held ON held.operator_id = mine.operator_id"
        " AND held.id = mine.right_id"
        " JOIN right_specifications AS sold ON sold.operator_id = mine.operator_id"
        " AND sold.id = held.specification_id"
        " WHERE mine.driver_id = :driver_id ORDER BY mine.right_id",
    ),
    Section(
        "invoices",
        "SELECT invoices.id, kind, number, currency, gross_minor, document_sealed, issued_at"
        " FROM driver_invoices AS mine JOIN invoices ON invoices.operator_id = mine.operator_id"
        " AND invoices.id = mine.invoice_id WHERE mine.driver_id = :driver_id ORDER BY invoices.id",
        {"document_sealed": SEAL_CONTEXT},
        frozenset({"document"}),
    ),
    Section(
        "invoiceBuyer",
        "SELECT buyer_sealed, updated_at FROM buyer_profiles WHERE driver_id = :driver_id",
        {"buyer_sealed": SEAL_CONTEXT},
        frozenset({"buyer"}),
    ),
)
_TOLD: Final = (
    Section(
        "spaceOffers",
        "SELECT space_offers.id, operators.name AS operator, places.name AS place, source, state,"
        " arrives_from, arrives_until, ends_at, expires_at, offered_at, decided_at"
        " FROM space_offers JOIN operators ON operators.id = space_offers.operator_id"
        " JOIN places ON places.operator_id = space_offers.operator_id"
        " AND places.id = space_offers.place_id"
        " WHERE driver_id = :driver_id ORDER BY space_offers.id",
    ),
    Section(
        "reservations",
        "SELECT reservations.id, operators.name AS operator, places.name AS place, state,"
        " starts_at, ends_at, reservations.created_at, arrived_at, ended_at, session_id AS stay_id"
        " FROM reservations JOIN operators ON operators.id = reservations.operator_id"
        " JOIN places ON places.operator_id = reservations.operator_id"
        " AND places.id = reservations.place_id"
        " WHERE driver_id = :driver_id ORDER BY reservations.id",
    ),
    Section(
        "consents",
        "SELECT kind, is_given, text_version, source, changed_at FROM consent_changes"
        " WHERE driver_id = :driver_id ORDER BY id",
    ),
    Section(
        "habits",
        "SELECT operators.name AS operator, places.name AS place, first_day, last_day, visits,"
        " recent, encode(sums, 'base64') AS memory, visited_at FROM habits"
        " JOIN operators ON operators.id = habits.operator_id"
        " JOIN places ON places.operator_id = habits.operator_id AND places.id = habits.place_id"
        " WHERE driver_id = :driver_id ORDER BY habits.operator_id, habits.place_id",
    ),
    Section(
        "habitsForgotten",
        "SELECT forgotten_at FROM habit_resets WHERE driver_id = :driver_id",
    ),
    Section(
        "disputes",
        "SELECT disputes.id, disputes.bill_id, reason, comment_sealed, words_sealed, state,"
        " refunded_minor, currency, disputes.opened_at, decided_at"
        " FROM driver_disputes AS mine JOIN disputes ON disputes.operator_id = mine.operator_id"
        " AND disputes.id = mine.dispute_id WHERE mine.driver_id = :driver_id ORDER BY disputes.id",
        {"comment_sealed": COMMENT_CONTEXT, "words_sealed": WORDS_CONTEXT},
    ),
    Section(
        "offerSummaries",
        "SELECT operators.name AS operator, visits, last_visit_at, vehicle_kinds, timezone"
        " FROM audience_members JOIN operators ON operators.id = operator_id"
        " WHERE driver_id = :driver_id ORDER BY operator_id",
        json=frozenset({"vehicle_kinds"}),
    ),
    Section(
        "offerPlaces",
        "SELECT operators.name AS operator, places.name AS place, visits, last_visit_at,"
        " spent_minor, used.currency FROM audience_places AS used"
        " JOIN operators ON operators.id = used.operator_id"
        " JOIN places ON places.operator_id = used.operator_id AND places.id = used.place_id"
        " WHERE driver_id = :driver_id ORDER BY used.operator_id, used.place_id",
    ),
    Section(
        "campaigns",
        "SELECT operators.name AS operator, arm, state, local_day, assigned_at, sent_at"
        " FROM campaign_sends JOIN operators ON operators.id = operator_id"
        " WHERE driver_id = :driver_id ORDER BY operator_id, campaign_sends.id",
    ),
    Section(
        "coupons",
        "SELECT operators.name AS operator, definition.name AS coupon, coupon.state, source,"
        " discount_minor, currency, claimed_at, expires_at"
        " FROM driver_coupons AS coupon"
        " JOIN operators ON operators.id = coupon.operator_id"
        " JOIN coupon_definitions AS definition"
        " ON definition.operator_id = coupon.operator_id AND definition.id = coupon.definition_id"
        " WHERE driver_id = :driver_id ORDER BY coupon.operator_id, coupon.id",
    ),
    Section(
        "notificationPreferences",
        "SELECT muted, quiet_starts_at, quiet_ends_at, quiet_timezone FROM notice_books"
        " WHERE driver_id = :driver_id",
        json=frozenset({"muted"}),
    ),
    Section(
        "notifications",
        "SELECT category, template, arguments, occurred_at, acknowledged_at FROM notices"
        " WHERE driver_id = :driver_id ORDER BY number",
        json=frozenset({"arguments"}),
    ),
    Section(
        "messages",
        "SELECT channel, template, state, created_at, sent_at FROM deliveries"
        " WHERE driver_id = :driver_id ORDER BY id",
    ),
)
SECTIONS: Final = (*_PERSON, *_MONEY, *_TOLD)
