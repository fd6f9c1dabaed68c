"""Which open session a read belongs to: better nobody than a stranger."""

from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from parking.sessions import rules
from parking.sessions.rules import Candidate, Match, ReadText, best_match, distance

PLATES = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=4, max_size=8)


def candidates(*plates: str) -> list[Candidate]:
    return [Candidate(UUID(int=number), plate) for number, plate in enumerate(plates)]


@pytest.mark.parametrize(
    ("read", "plate", "expected"),
    [
        ("京A88731", "京A88731", 0.0),
        ("京AB8731", "京A88731", 0.25),
        ("京A887Z1", "京A88731", 1.0),
        ("A88731", "京A88731", 0.9),
        ("京AB87E1", "京A88731", 1.25),
    ],
)
def test_distance_weighs_confusions(read: str, plate: str, expected: float) -> None:
    assert distance(ReadText(read), plate) == pytest.approx(expected)


def test_unsure_character_costs_less_and_an_offered_text_little() -> None:
    unsure = ReadText("京A887K1", (1.0, 1.0, 1.0, 1.0, 1.0, 0.55, 1.0))
    assert distance(unsure, "京A88731") == pytest.approx(0.55)
    offered = ReadText("京A887K1", alternatives=(("京A88731", 0.1),))
    assert distance(offered, "京A88731") == pytest.approx(0.25)
    unlikely = ReadText("京A887K1", alternatives=(("京A88731", 0.001),))
    assert distance(unlikely, "京A88731") == pytest.approx(1.0)


def test_confused_read_is_matched_to_the_only_near_session() -> None:
    match = best_match(ReadText("京AB8731"), candidates("沪B12345", "京A88731"))
    assert match is not None
    assert (match.session_id, match.distance) == (UUID(int=1), pytest.approx(0.25))


def test_unreadable_text_is_near_to_nobody() -> None:
    garbage = ReadText("沪X12K6C", (0.08,) * 7)
    assert best_match(garbage, candidates("京A88731")) is None


def test_two_near_sessions_match_nobody() -> None:
    # An 8 may be a B or a 3: both cars are inside.
    assert best_match(ReadText("A8C"), candidates("ABC", "A3C")) is None


def test_clear_difference_matches_nobody() -> None:
    assert best_match(ReadText("京A88732"), candidates("京A88731")) is None
    assert best_match(ReadText("沪C99999"), candidates()) is None


@given(PLATES, st.lists(PLATES, max_size=5, unique=True))
def test_exact_plate_wins_whatever_stands_beside_it(plate: str, others: list[str]) -> None:
    inside = [plate, *(other for other in others if other != plate)]
    match = best_match(ReadText(plate), candidates(*inside))
    assert match is not None
    assert (match.session_id, match.distance) == (UUID(int=0), 0.0)


@given(PLATES, st.permutations(["A123BC", "A128BC", "X777YZ", "B777YZ"]))
def test_order_of_candidates_does_not_matter(read: str, plates: list[str]) -> None:
    ordered = [Candidate(UUID(int=hash(plate) % 2**64), plate) for plate in plates]
    assert best_match(ReadText(read), ordered) == best_match(
        ReadText(read), sorted(ordered, key=lambda item: item.text)
    )


def compared_with_all(read: ReadText, known: list[Candidate]) -> Match | None:
    """Return what the rule says where every plate is compared to the end."""
    ranked = sorted((distance(read, one.text), one.session_id) for one in known)
    if not ranked or ranked[0][0] > rules.DISTANCE_MAX:
        return None
    best, session_id = ranked[0]
    has_rival = len(ranked) > 1 and ranked[1][0] - best < rules.MARGIN_MIN
    return None if best > 0 and has_rival else Match(session_id, best)


# Few letters that are taken for each other, so that near plates, gaps and ties are frequent.
NEAR = st.one_of(*[st.text("08BK", min_size=3, max_size=3)] * 3, st.text("08BK", max_size=4))
CHANCES = st.sampled_from((0.4, 0.55, 0.7, 1.0))
READS = st.builds(
    ReadText,
    NEAR,
    st.lists(CHANCES, min_size=3, max_size=3).map(tuple),
    st.lists(st.tuples(NEAR, st.sampled_from((0.01, 0.02, 0.5))), max_size=2).map(tuple),
)


@settings(max_examples=150)
@given(READS, st.lists(NEAR, unique=True, min_size=2, max_size=5))
@example(ReadText("京A88731", (), (("沪C5", 0.5),)), ["沪C5", "京A8873"])
@example(ReadText("8K8", (1.0, 0.55, 1.0)), ["8B8", "BB8"])
def test_a_glance_leaves_out_nobody_who_matters(read: ReadText, plates: list[str]) -> None:
    known = candidates(*plates)
    assert best_match(read, known) == compared_with_all(read, known)
