"""What the demo's places charge."""

from typing import Any, Final

# A shopping centre: the first ten minutes free, then 5 CNY each started half hour, 40 CNY a day.
SHOPPING_CENTRE: Final[dict[str, Any]] = {
    "timezone": "Asia/Shanghai",
    "currency": "CNY",
    "name": "Shopping centre",
    "grace": 10,
    "collections": [
        {"name": "all day", "lines": [{"kind": "increment", "value": 500, "block": 30, "from": 0}]}
    ],
    "caps": [{"per": "calendar_day", "amount": 4000}],
}

# A drop-off zone at a station: 3 CNY a minute counted by the second, so that its bill ticks.
DROP_OFF: Final[dict[str, Any]] = {
    "timezone": "Asia/Shanghai",
    "currency": "CNY",
    "name": "Drop-off zone",
    "collections": [
        {"name": "all day", "lines": [{"kind": "per_second", "value": 300, "block": 1, "from": 0}]}
    ],
    "caps": [{"per": "calendar_day", "amount": 20000}],
}

# An old town: 0.50 EUR each started ten minutes by day, 1 EUR each started hour by night.
OLD_TOWN: Final[dict[str, Any]] = {
    "timezone": "Europe/Berlin",
    "currency": "EUR",
    "name": "Old town",
    "collections": [
        {
            "name": "day",
            "window": ["08:00", "20:00"],
            "lines": [{"kind": "increment", "value": 50, "block": 10, "from": 0}],
        },
        {
            "name": "night",
            "window": ["20:00", "08:00"],
            "lines": [{"kind": "increment", "value": 100, "block": 60, "from": 0}],
        },
    ],
    "caps": [{"per": "calendar_day", "amount": 1200}],
}
