"""Addresses for navigation apps, to the letter, and the shift of Chinese maps."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.guidance.chinese_maps import (
    Degrees,
    baidu_of_gcj,
    gcj_of_wgs,
    is_shifted,
    wgs_of_gcj,
)
from parking.guidance.navigation import links_to
from parking.guidance.walking import walking_s
from parking.kit.geography import Position, distance_m

# Widely published pairs of the same spot in both systems.
PAIRS: Final = (
    (Degrees(31.1774276, 121.5272106), Degrees(31.17530398364597, 121.531541859215)),
    (Degrees(22.543847, 113.912316), Degrees(22.540796131694766, 113.9171764808363)),
    (Degrees(39.911954, 116.377817), Degrees(39.91334545536069, 116.38404722455657)),
)
WIDE: Final = Position.of(39.911954, 116.377817)
# Within China on every side, islands aside.
inland = st.builds(Degrees, st.floats(22, 45), st.floats(85, 125))


@pytest.mark.parametrize(("wgs", "gcj"), PAIRS)
def test_the_shift_is_the_published_one(wgs: Degrees, gcj: Degrees) -> None:
    assert gcj_of_wgs(wgs) == pytest.approx(gcj, abs=1e-9)
    assert wgs_of_gcj(gcj) == pytest.approx(wgs, abs=1e-9)


@given(inland)
def test_the_way_back_is_exact_to_a_centimetre(wgs: Degrees) -> None:
    back = wgs_of_gcj(gcj_of_wgs(wgs))
    # A degree is 111 km at most.
    assert back == pytest.approx(wgs, abs=0.01 / 111_320)


@given(inland)
def test_the_shift_is_of_hundreds_of_metres(wgs: Degrees) -> None:
    shown = gcj_of_wgs(wgs)
    shifted_m = distance_m(Position.of(*wgs), Position.of(*shown))
    assert 20 < shifted_m < 1000
    baidu = baidu_of_gcj(shown)
    assert 400 < distance_m(Position.of(*shown), Position.of(*baidu)) < 1400


def test_elsewhere_nothing_is_shifted() -> None:
    dresden = Degrees(51.0504, 13.7373)
    assert not is_shifted(dresden)
    assert gcj_of_wgs(dresden) == dresden == wgs_of_gcj(dresden)


def test_each_app_is_given_its_own_coordinates_in_china() -> None:
    links = links_to(WIDE, name="西单 停车场", timezone="Asia/Shanghai")
    assert links.geo == "geo:39.911954,116.377817"
    assert links.apple == "https://maps.apple.com/?daddr=39.913345,116.384047&dirflg=d"
    assert links.google == (
        "https://www.google.com/maps/dir/?api=1"
        "&destination=39.913345%2C116.384047&travelmode=driving"
    )
    name = "%E8%A5%BF%E5%8D%95%20%E5%81%9C%E8%BD%A6%E5%9C%BA"
    assert links.amap == (
        f"https://uri.amap.com/navigation?to=116.384047,39.913345,{name}"
        "&mode=car&src=sesame&coordinate=gaode&callnative=1"
    )
    assert links.baidu == (
        f"baidumap://map/direction?destination=latlng:39.919576,116.390455%7Cname:{name}"
        "&coord_type=bd09ll&mode=driving&src=sesame"
    )


def test_elsewhere_every_app_is_given_wgs_84() -> None:
    links = links_to(Position.of(51.0504, -0.00001), name="A|B: C&D", timezone="Europe/London")
    assert links.geo == "geo:51.050400,-0.000010"
    assert links.apple == "https://maps.apple.com/?daddr=51.050400,-0.000010&dirflg=d"
    assert links.google == (
        "https://www.google.com/maps/dir/?api=1"
        "&destination=51.050400%2C-0.000010&travelmode=driving"
    )
    assert links.amap == (
        "https://uri.amap.com/navigation?to=-0.000010,51.050400,A%7CB%3A%20C%26D"
        "&mode=car&src=sesame&coordinate=wgs84&callnative=1"
    )
    assert links.baidu == (
        "baidumap://map/direction?destination=latlng:51.050400,-0.000010%7Cname:A%20B%20%20C%26D"
        "&coord_type=wgs84&mode=driving&src=sesame"
    )


def test_in_hong_kong_only_the_chinese_maps_are_shifted() -> None:
    links = links_to(Position.of(22.2819, 114.1582), name="Central", timezone="Asia/Hong_Kong")
    assert links.apple == "https://maps.apple.com/?daddr=22.281900,114.158200&dirflg=d"
    assert "coordinate=gaode" in links.amap
    assert "22.281900" not in links.amap
    assert "coord_type=bd09ll" in links.baidu


def test_a_walk_takes_its_detour_and_is_rounded_up() -> None:
    # 1.3 times as far as the straight line, at 1.2 m/s.
    assert [walking_s(metres) for metres in (0, 0.5, 120, 1000)] == [0, 1, 130, 1084]
    with pytest.raises(ValueError, match="distance_m"):
        walking_s(-1)
