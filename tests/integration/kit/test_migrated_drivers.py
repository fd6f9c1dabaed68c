"""What drivers had before there were notices becomes what this version reads."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from alembic import command
from alembic.config import Config

import migrations
from parking.kit.clock import SystemClock
from parking.kit.ids import new_id
from sesame.migration import drift
from tests.integration.kit.test_migrations import OPERATOR, move, run

LAST_BEFORE_NOTICES: Final = "0026"
DRIVER: Final = "INSERT INTO drivers (id, locale, created_at) VALUES (:driver, 'de', now())"
SIGN_IN: Final = """
INSERT INTO sign_ins (driver_id, id, refresh_digest, device_name, created_at, refreshed_at,
    expires_at)
VALUES (:driver, :session, 'digest', 'phone', '2026-05-01T10:00:00Z', now(), now())
"""
SIGN_IN_CODE: Final = """
INSERT INTO sign_in_codes (phone_index, id, code_digest, attempts, created_at, expires_at)
VALUES (:table, :session, 'digest', 0, now(), now())
"""
DEVICE: Final = """
INSERT INTO devices (driver_id, id, target_kind, target, platform, registered_at)
VALUES (:driver, :device, 'fid', 'a-target', 'ios', now())
"""
DELIVERY: Final = """
INSERT INTO deliveries (driver_id, id, event_id, device_id, channel, template, state, attempts,
    created_at)
VALUES (:driver, :{delivery}, :event, :device, 'push', 'payment_charged', '{delivery}', 1, now())
"""
OUTBOX: Final = """
INSERT INTO outbox (owner_id, id, type, subject_id, payload, occurred_at, next_at, attempts)
VALUES (:operator, :event, 'PaymentCharged', :session, '{}', now(), now(), 1)
"""
CLAIM: Final = """
INSERT INTO binding_claims (plate_index, id, driver_id, plate_sealed, state, attempts, created_at,
    expires_at)
VALUES (:table, :{claim}, :driver, 'sealed', 'pending', {attempts}, '2026-05-01T10:00:00Z', now())
"""
OF_DRIVERS: Final = (
    OPERATOR,
    DRIVER,
    SIGN_IN,
    SIGN_IN_CODE,
    DEVICE,
    DELIVERY.format(delivery="sent"),
    DELIVERY.format(delivery="pending"),
    OUTBOX,
    CLAIM.format(claim="tried", attempts=5),
    CLAIM.format(claim="waiting", attempts=1),
)


def test_what_drivers_had_before_there_were_notices_is_brought_along(database_url: str) -> None:
    now = SystemClock().now()
    names = "operator driver session table device event sent pending tried waiting"
    ids: dict[str, UUID] = {name: new_id(now) for name in names.split()}
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["url"] = database_url
    command.downgrade(config, LAST_BEFORE_NOTICES)
    run(database_url, *OF_DRIVERS, **ids)
    move(database_url, "head")
    signed_in = datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert run(database_url, "SELECT authenticated_at, confirmed_for FROM sign_ins") == [
        (signed_in, None)
    ]
    assert run(database_url, "SELECT purpose, sign_in_id FROM sign_in_codes") == [("sign_in", None)]
    assert run(database_url, "SELECT state, review_at FROM binding_claims ORDER BY attempts") == [
        ("pending", None),
        ("pending", signed_in),
    ]
    # Targets cannot be sealed without the keys: apps register again. What was sent stays known.
    assert run(database_url, "SELECT count(*) FROM devices") == [(0,)]
    assert run(database_url, "SELECT state, operator_id FROM deliveries ORDER BY state") == [
        ("pending", None),
        ("sent", None),
    ]
    assert run(database_url, "SELECT attempts, done_at FROM outbox") == [(1, None)]
    assert asyncio.run(drift(database_url)) == []
