"""Random rights of stays, and rate tables that know of them."""

from datetime import datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st

from parking.tariffs.rules import Circumstances, Exemption, RateTable, Vehicle
from tests.unit.tariffs.own_tables import parsed
from tests.unit.tariffs.strategies import ANCHORS, collections, rate_tables

VALIDATIONS: Final[list[dict[str, Any]]] = [
    {"name": "cinema", "kind": "minutes", "value": 90},
    {"name": "shop", "kind": "amount", "value": 350},
    {"name": "member", "kind": "percent", "value": 15},
    {"name": "guest", "kind": "free"},
]


@st.composite
def rightful_tables(draw: st.DrawFn, *, with_packages: bool) -> RateTable:
    data: dict[str, Any] = draw(rate_tables(with_packages=with_packages))
    data["straddle"] = draw(st.sampled_from(("restart", "continue")))
    data["validations"] = VALIDATIONS
    data["allowances"] = [
        {
            "name": "ev",
            "minutes": draw(st.sampled_from((20, 60, 300))),
            "eligibility": {"ev": True},
        },
        {"name": "stay", "minutes": 30, "per": "session", "eligibility": {"resident": True}},
    ]
    data["variants"] = [
        {"name": "truck", "eligibility": {"vehicle_classes": ["truck"]}, "grace": 25},
        {
            "name": "pass holders",
            "eligibility": {"pass_holder": True},
            "priority": 5,
            "collections": draw(st.lists(collections(), min_size=3, max_size=3)),
        },
    ]
    return parsed(data)


@st.composite
def exemptions(draw: st.DrawFn) -> Exemption:
    starts_at = draw(st.sampled_from(ANCHORS)) + timedelta(minutes=draw(st.integers(-600, 4000)))
    minutes = draw(st.one_of(st.none(), st.integers(0, 3000)))
    ends_at = None if minutes is None else starts_at + timedelta(minutes=minutes)
    return Exemption(starts_at=starts_at, ends_at=ends_at, note="monthly")


@st.composite
def circumstances(draw: st.DrawFn, entered_at: datetime | None = None) -> Circumstances:
    day = st.sampled_from(("2025-03-30", "2025-10-26", "2025-03-09", "2024-02-29", "2025-10-05"))
    return Circumstances(
        vehicle=Vehicle(
            vehicle_class=draw(st.sampled_from(("car", "car", "truck"))),
            is_ev=draw(st.booleans()),
            is_resident=draw(st.booleans()),
        ),
        has_pass=draw(st.booleans()),
        exemptions=tuple(draw(st.lists(exemptions(), max_size=3))),
        allowances_used_s={"ev": draw(st.dictionaries(day, st.integers(0, 4000), max_size=3))},
        validations=tuple(
            draw(st.lists(st.sampled_from([each["name"] for each in VALIDATIONS[:3]]), max_size=3))
        ),
        continues_from=(
            None
            if entered_at is None
            else entered_at - timedelta(minutes=draw(st.integers(0, 300)))
        ),
    )
