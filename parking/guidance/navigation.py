"""Addresses that open a navigation app with a way to a place: each in its own coordinates."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from parking.guidance.chinese_maps import Degrees, baidu_of_gcj, gcj_of_wgs
from parking.kit.geography import Position

# Wall clocks of the mainland: there every map is drawn in GCJ-02, also Apple's and Google's.
MAINLAND_ZONES: Final = frozenset(
    {
        "Asia/Shanghai",
        "Asia/Urumqi",
        "Asia/Chongqing",
        "Asia/Chungking",
        "Asia/Harbin",
        "Asia/Kashgar",
        "PRC",
    }
)
# There only the Chinese maps are.
HARBOUR_ZONES: Final = frozenset({"Asia/Hong_Kong", "Hongkong", "Asia/Macau", "Asia/Macao"})
_NAMED_CALLER: Final = "sesame"


@dataclass(frozen=True, slots=True)
class NavigationLinks:
    """One address for each app; each opens a way by car from where the driver is.

    Attributes:
        geo: For whatever app the phone opens, in WGS-84 as RFC 5870 says.
        apple: Apple Maps.
        google: Google Maps.
        amap: Amap (AutoNavi), as its web page, which opens the app.
        baidu: Baidu Map's app.
    """

    geo: str
    apple: str
    google: str
    amap: str
    baidu: str


def links_to(position: Position, *, name: str, timezone: str) -> NavigationLinks:
    """Return the addresses that lead to a position.

    Args:
        position: Where cars go in, in WGS-84.
        name: What Chinese apps show as the destination.
        timezone: The place's, which tells whether it lies in China.
    """
    wgs = Degrees(position.latitude, position.longitude)
    is_mainland = timezone in MAINLAND_ZONES
    gcj = gcj_of_wgs(wgs) if is_mainland or timezone in HARBOUR_ZONES else None
    drawn = gcj if gcj is not None and is_mainland else wgs
    return NavigationLinks(
        geo=f"geo:{_pair(wgs)}",
        apple=f"https://maps.apple.com/?daddr={_pair(drawn)}&dirflg=d",
        google="https://www.google.com/maps/dir/?api=1"
        f"&destination={_pair(drawn, comma='%2C')}&travelmode=driving",
        amap=_amap(wgs, gcj, name),
        baidu=_baidu(wgs, gcj, name),
    )


def _amap(wgs: Degrees, gcj: Degrees | None, name: str) -> str:
    at, system = (wgs, "wgs84") if gcj is None else (gcj, "gaode")
    # It takes the longitude first, and commas part its values.
    to = f"{_number(at.longitude)},{_number(at.latitude)},{quote(name, safe='')}"
    return (
        f"https://uri.amap.com/navigation?to={to}&mode=car"
        f"&src={_NAMED_CALLER}&coordinate={system}&callnative=1"
    )


def _baidu(wgs: Degrees, gcj: Degrees | None, name: str) -> str:
    at, system = (wgs, "wgs84") if gcj is None else (baidu_of_gcj(gcj), "bd09ll")
    # In the app's own language `|` and `:` part the values: a name must not have them.
    plain = name.replace("|", " ").replace(":", " ")
    destination = quote(f"latlng:{_pair(at)}|name:{plain}", safe=":,")
    return (
        f"baidumap://map/direction?destination={destination}"
        f"&coord_type={system}&mode=driving&src={_NAMED_CALLER}"
    )


def _pair(at: Degrees, *, comma: str = ",") -> str:
    return f"{_number(at.latitude)}{comma}{_number(at.longitude)}"


def _number(degrees: float) -> str:
    # Eleven centimetres, and never with an exponent.
    return f"{degrees:.6f}"
