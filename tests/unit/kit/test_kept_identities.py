"""What tokens were seen to prove, each in one place."""

from datetime import UTC, datetime
from uuid import UUID

from parking.kit.kept_identities import PLACES, KeptIdentities

DRIVER, SIGN_IN, OTHER = UUID(int=1), UUID(int=2**128 - 1), UUID(int=3)
EXPIRES = datetime(2026, 3, 1, 12, 15, tzinfo=UTC)


def digest(place: int, rest: int = 0) -> bytes:
    return place.to_bytes(4, "big") + rest.to_bytes(28, "big")


def test_what_was_kept_is_found_as_it_was() -> None:
    kept = KeptIdentities()
    kept.keep(digest(5), DRIVER, SIGN_IN, EXPIRES)
    kept.keep(digest(PLACES - 1), OTHER, DRIVER, EXPIRES)
    assert kept.find(digest(5)) == (DRIVER, SIGN_IN, EXPIRES)
    assert kept.find(digest(PLACES - 1)) == (OTHER, DRIVER, EXPIRES)
    assert kept.find(digest(6)) is None


def test_a_digest_of_the_same_place_is_not_taken_for_the_other() -> None:
    kept = KeptIdentities()
    kept.keep(digest(5), DRIVER, SIGN_IN, EXPIRES)
    assert kept.find(digest(5, rest=1)) is None
    kept.keep(digest(5 + PLACES), OTHER, SIGN_IN, EXPIRES)
    assert kept.find(digest(5)) is None
    assert kept.find(digest(5 + PLACES)) == (OTHER, SIGN_IN, EXPIRES)
