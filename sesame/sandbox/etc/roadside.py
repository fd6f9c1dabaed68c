"""What antennas see and what cards hold, which is why a deduction is refused."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sesame.sandbox.platform import Json, NotFoundError, Platform

CHARGE_MINOR_MAX = 2_000_00
DAY_MINOR_MAX = 20_000_00
DAY_CHARGES_MAX = 20
STATUS_LIST_MAX = 10_000
NORMAL_CARD = "normal"
ZONE = ZoneInfo("Asia/Shanghai")

_TABLES = (
    "create table if not exists sight (antenna text, obu text, primary key (antenna, obu))",
    (
        "create table if not exists card (obu text primary key, status text not null,"
        " balance_minor integer)"
    ),
)


class Roadside:
    """Antennas and cards, in the same file as the books."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store = platform.store
        for statement in _TABLES:
            self._store.run(statement)

    def see(self, antenna: str, obus: list[str]) -> None:
        """Let an antenna see these units and no others; `*` stands for every one of either."""
        with self._store.transaction():
            self._store.run("delete from sight where antenna = ?", antenna)
            for obu in obus:
                self._store.insert("sight", {"antenna": antenna, "obu": obu})

    def set_card(self, obu: str, status: str, balance_minor: int | None) -> None:
        """Say how a unit's card stands; a balance of `None` is for a card that is billed later."""
        self._store.run("insert or replace into card values (?, ?, ?)", obu, status, balance_minor)

    def refusal(self, asked: Json) -> str | None:
        """Return why a new deduction takes no money; `None` where it may."""
        try:
            contract = self._platform.agreements.get(asked["contract"])
        except NotFoundError:
            return "contract_inactive"
        if contract["status"] != "active" or contract["extra"]["obu"] != asked["obu"]:
            return "contract_inactive"
        if contract["extra"]["plate"] != asked["plate"]:
            return "plate_mismatch"
        if not self._sees(asked["antenna"], asked["obu"]):
            return "obu_not_seen"
        return self._card_refusal(asked) or self._limit_refusal(asked)

    def status_list(self) -> list[Json]:
        """Return the units whose cards are not to be charged."""
        return self._store.all(
            "select obu, status from card where status != ? order by obu limit ?",
            NORMAL_CARD,
            STATUS_LIST_MAX,
        )

    def _sees(self, antenna: str, obu: str) -> bool:
        row = self._store.one(
            "select 1 from sight where antenna in (?, '*') and obu in (?, '*')", antenna, obu
        )
        return row is not None

    def _card_refusal(self, asked: Json) -> str | None:
        row = self._store.one("select * from card where obu = ?", asked["obu"])
        if row is None:
            return None
        if row["status"] != NORMAL_CARD:
            return "card_blacklisted"
        if row["balance_minor"] is None:
            return None
        left = row["balance_minor"] - self._spent(asked["obu"])
        return "insufficient_balance" if asked["amount_minor"] > left else None

    def _spent(self, obu: str) -> int:
        row = self._store.one(
            "select coalesce(sum(case space when 'order' then amount_minor else -amount_minor end)"
            ", 0) as total from orders"
            " where json_extract(extra, '$.obu') = ? and status != 'failed'",
            obu,
        )
        return row["total"] if row else 0

    def _limit_refusal(self, asked: Json) -> str | None:
        today = self._store.one(
            "select count(*) as charges, coalesce(sum(amount_minor), 0) as total from orders"
            " where space = 'order' and parent = ? and status != 'failed' and created_ms >= ?",
            asked["contract"],
            day_start_ms(self._platform.now_ms()),
        ) or {"charges": 0, "total": 0}
        fits = (
            asked["amount_minor"] <= CHARGE_MINOR_MAX
            and today["charges"] < DAY_CHARGES_MAX
            and today["total"] + asked["amount_minor"] <= DAY_MINOR_MAX
        )
        return None if fits else "limit_exceeded"


def day_start_ms(now_ms: int) -> int:
    """Return when the day of Asia/Shanghai began."""
    local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZONE)
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)
