"""Every table of the database, by the kind of data that it holds, and how long each kind is kept.

One list, so that nothing is kept for ever because nobody thought of it: a test fails where a table
is in no kind. What each kind is for: docs/retention.md.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# Ten years, the longest period that § 147 AO names, and the leap days in them.
TAX_DAYS: Final = 3653


class Act(StrEnum):
    """What becomes of rows whose period is over.

    DELETE: They go, a bounded number at a time; a partition with nothing else in it goes whole.
    DROP: Only whole partitions go: single rows of an append-only table cannot be deleted.
    FORGET: The row stays for the records that name it, without plate and driver.
    KEEP: Nothing; `Kind.why_kept` says why.
    """

    DELETE = "delete"
    DROP = "drop"
    FORGET = "forget"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done with one table. Every text is SQL of our own, never input.

    Attributes:
        ended: When the period of a row begins; null while it still serves.
        has_operator: Whether its rows are an operator's, who may keep them for another period.
    """

    table: str
    act: Act = Act.KEEP
    ended: str = "NULL::timestamptz"
    has_operator: bool = True


@dataclass(frozen=True, slots=True)
class Kind:
    """Tables that are kept for the same period.

    Attributes:
        days: By default; None for as long as what it belongs to.
        days_min: No setting goes below it.
        why_kept: Why nothing is deleted; empty where something is.
    """

    name: str
    rules: tuple[Rule, ...]
    days: int | None = None
    days_min: int = 1
    why_kept: str = ""


def _gone(table: str, ended: str, *, has_operator: bool = True) -> Rule:
    return Rule(table, Act.DELETE, ended, has_operator)


def _ours(table: str, ended: str) -> Rule:
    return Rule(table, Act.DELETE, ended, has_operator=False)


def _kept(*tables: str) -> tuple[Rule, ...]:
    return tuple(Rule(table) for table in tables)


# A plate that stood on a pass to its end was never taken off it.
_RIGHT_ENDED: Final = (
    "SELECT ended_at FROM assigned_rights "
    "WHERE assigned_rights.operator_id = right_plates.operator_id "
    "AND assigned_rights.id = right_plates.right_id"
)
PICTURES: Final = (
    Kind("lane_pictures", (_gone("frames", "received_at"),), days=30),
    Kind("licence_pictures", (_ours("licence_pictures", "ends_at"),), days=30),
)
LANES: Final = (
    Kind("observations", (_gone("observations", "captured_at"),), days=180, days_min=7),
    Kind(
        "lane_journals",
        (
            _gone("lane_events", "received_at"),
            _gone("presentations", "coalesce(cleared_at, occupied_at)"),
            _gone("gate_commands", "issued_at"),
        ),
        days=180,
        days_min=7,
    ),
    Kind(
        "offline_journals",
        (
            _gone(
                "offline_passages",
                "CASE WHEN next_try_at IS NULL THEN coalesce(passed_at, received_at) END",
            ),
            _gone("offline_policies", "valid_until"),
        ),
        days=180,
        days_min=7,
    ),
    Kind(
        "reviews",
        (_gone("misread_reviews", "coalesce(closed_at, opened_at)"),),
        days=365,
        days_min=30,
    ),
)
SIGNING_IN: Final = (
    Kind(
        "codes",
        (
            _gone("lane_codes", "expires_at"),
            _ours("sign_in_codes", "expires_at"),
            _ours("staff_taken_attempts", "expires_at"),
            _gone("staff_invitations", "expires_at"),
        ),
        days=7,
    ),
    Kind("request_counters", (_ours("request_counts", "window_started_at"),), days=7),
    Kind("idempotency_keys", (_ours("idempotency_keys", "created_at"),), days=2, days_min=2),
    Kind(
        "sign_ins",
        (
            _ours("sign_ins", "LEAST(revoked_at, expires_at)"),
            _gone("staff_sign_ins", "LEAST(revoked_at, expires_at)"),
        ),
        days=30,
    ),
    Kind("devices", (_ours("devices", "disabled_at"),), days=90),
    Kind("deleted_accounts", (_ours("deleted_accounts", "swept_at"),), days=30),
)
PLATES: Final = (
    Kind("claims", (_ours("binding_claims", "coalesce(decided_at, expires_at)"),), days=30),
    Kind(
        "past_plates",
        (
            _ours("plate_bindings", "unbound_at"),
            _ours("driver_plates", "unbound_at"),
            _gone("right_plates", f"coalesce(removed_at, ({_RIGHT_ENDED}))"),
            _gone("vehicle_records", "valid_until"),
        ),
        days=365,
        days_min=30,
    ),
    Kind(
        "traces",
        (
            # A period that nothing was taken in for a week is over.
            _gone("allowance_uses", "updated_at"),
            _gone("departures", "merge_until"),
            _gone("stay_announcements", "ended_at"),
        ),
        days=7,
        days_min=7,
    ),
    Kind(
        "stays",
        (
            Rule("sessions", Act.FORGET, "left_at"),
            # For as long as what they lead to: who deletes the account is found in it by them.
            _gone("driver_stays", "left_at"),
            _gone("reservations", "ended_at"),
        ),
        days=400,
        days_min=30,
    ),
)
MESSAGES: Final = (
    Kind(
        "notices",
        (_ours("deliveries", "created_at"), _ours("notices", "created_at")),
        days=180,
        days_min=7,
    ),
    Kind("space_offers", (_gone("space_offers", "expires_at"),), days=180, days_min=7),
    Kind(
        "events",
        (_ours("outbox", "done_at"), _ours("consumed_events", "consumed_at")),
        days=30,
        days_min=2,
    ),
    # Half a year without a visit says nothing about the next one.
    Kind("habits", (_gone("habits", "visited_at"),), days=182, days_min=28),
    Kind("habit_fits", (_gone("habit_fits", "fitted_at"),), days=400, days_min=30),
    Kind(
        "campaigns",
        (_gone("campaign_sends", "assigned_at"), _gone("campaign_runs", "queued_at")),
        days=180,
        days_min=30,
    ),
    Kind(
        "coupons",
        (
            _gone(
                "driver_coupons",
                "CASE WHEN state IN ('used', 'expired', 'revoked') THEN changed_at END",
            ),
            _gone("merchant_validations", "granted_at"),
            _ours("coupon_tries", "day::timestamptz"),
        ),
        days=400,
        days_min=30,
    ),
    Kind("provider_notices", (_ours("provider_notices", "taken_at"),), days=400, days_min=30),
)
RECORDS: Final = (
    Kind(
        "audit",
        (
            Rule("staff_acts", Act.DROP, "happened_at"),
            Rule("review_actions", Act.DROP, "acted_at"),
            Rule("occupancy_counts", Act.DROP, "counted_at"),
        ),
        days=1096,
        days_min=365,
    ),
    Kind(
        "disputes",
        (
            _gone("disputes", "decided_at"),
            _gone("driver_disputes", "closed_at"),
        ),
        days=1096,
        days_min=365,
    ),
    Kind(
        "tax_records",
        _kept(
            "bills",
            "bill_corrections",
            "chargebacks",
            "driver_invoices",
            "exit_overrides",
            "fapiao_orders",
            "invoice_counters",
            "invoiced_bills",
            "invoices",
            "ledger_transfers",
            "owed_bills",
            "partner_collections",
            "partner_settlements",
            "payment_attempts",
            "provider_orders",
            "reconciliation_differences",
            "reconciliation_runs",
            "refunds",
            "segments",
            "session_validations",
            "settlement_days",
            "write_offs",
        ),
        days=TAX_DAYS,
        days_min=TAX_DAYS,
        why_kept="tax law; balances are sums over all of the ledger",
    ),
)
STANDING: Final = (
    Kind(
        "accounts",
        _kept(
            "audience_members",
            "audience_places",
            "buyer_profiles",
            "campaign_test_drivers",
            "consent_changes",
            "credit_accounts",
            "driver_consents",
            "driver_rights",
            "drivers",
            "firebase_accounts",
            "habit_resets",
            "mandate_consents",
            "mandate_uses",
            "mandates",
            "notice_books",
            "offer_books",
            "partner_payment_choices",
            "phone_numbers",
        ),
        why_kept="until the driver deletes the account; consents for as long as what they allowed",
    ),
    Kind(
        "passes",
        _kept("assigned_rights", "right_spaces", "right_specifications"),
        why_kept="the contracts that tax records name; their plates are past plates",
    ),
    Kind(
        "under_way",
        _kept("misread_suspicions", "open_sessions"),
        why_kept="deleted by what ends it",
    ),
    Kind(
        "installation",
        _kept(
            "access_lanes",
            "alembic_version",
            "audience_segments",
            "campaign_policies",
            "campaigns",
            "coupon_codes",
            "coupon_definitions",
            "credit_policies",
            "gate_authorities",
            "gate_certificates",
            "gate_enrolments",
            "hour_patterns",
            "identified_areas",
            "invoice_sellers",
            "lane_connections",
            "lane_health",
            "merchants",
            "offline_settings",
            "operator_partnerships",
            "operators",
            "place_positions",
            "places",
            "pool_patterns",
            "rate_tables",
            "right_pools",
            "space_pools",
            "spaces",
            "staff_members",
            "staff_passkeys",
        ),
        why_kept="how the installation is set up; it names no driver",
    ),
)
KINDS: Final = (
    *PICTURES,
    *LANES,
    *SIGNING_IN,
    *PLATES,
    *MESSAGES,
    *RECORDS,
    *STANDING,
)
