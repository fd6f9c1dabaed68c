"""What a count tells of one driver more or less: next to nothing."""

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

from api.staff.campaign_results import StaffCampaignResults
from parking.campaigns.document import read_document
from parking.campaigns.models import CampaignRun, RunState
from parking.campaigns.statistics import Share
from parking.flows.campaigns.counting import Counted
from parking.flows.campaigns.results import ArmResult, CampaignResults
from tests.factories.campaign_world import document


def told(drivers: int) -> Counter[int | None]:
    return Counter(Counted(drivers, fingerprint).told for fingerprint in range(1000))


def test_nothing_is_said_of_few_and_chance_hides_where_few_ends() -> None:
    assert told(9) == {None: 1000}
    assert set(told(10)) == {None, 10}
    assert told(10)[None] > 850
    assert None not in told(19)


def test_one_driver_more_is_not_told_by_passing_a_ten() -> None:
    fewer, more = told(49), told(50)
    assert set(more) == {50}
    # Nine of ten answers are the same, with one driver and without.
    assert 850 < fewer[50] < 950


def test_the_mean_is_right() -> None:
    for drivers in (43, 47):
        mean = sum((value or 0) * times for value, times in told(drivers).items()) / 1000
        assert abs(mean - drivers) < 0.6


def test_the_same_drivers_are_always_told_alike() -> None:
    assert {Counted(47, 5).told for _ in range(10)} == {Counted(47, 5).told}


def test_results_do_not_move_with_one_driver() -> None:
    found = CampaignResults(
        outcome="visit",
        within_days=14,
        assigned=ArmResult(19, Share(3, 19)),
        held_out=ArmResult(9, None),
        effect=None,
        sample_needed=None,
        messages={"sent": 18, "withdrawn": 1},
        runs=[run(queued=18, capped=1)],
    )
    told = StaffCampaignResults.of(found)
    assert (told.assigned.drivers, told.held_out.drivers) == (10, 0)
    assert [(each.state, each.drivers) for each in told.messages] == [("sent", 10)]
    assert [(each.queued, each.capped) for each in told.runs] == [(10, 0)]


def run(*, queued: int, capped: int) -> CampaignRun:
    return CampaignRun(
        operator_id=UUID(int=1),
        id=UUID(int=2),
        campaign_id=UUID(int=3),
        occurrence="once",
        state=RunState.QUEUED,
        started_at=datetime(2026, 5, 5, tzinfo=UTC),
        queued=queued,
        capped=capped,
    )


def test_who_just_did_something_is_told_so() -> None:
    read = read_document(document(trigger={"kind": "on_entry"}, filter={"kind": "pass"}))
    assert read.reasons(None) == ["entry", "pass"]
    assert read_document(document(trigger={"kind": "after_payment"})).reasons(None) == ["payment"]
