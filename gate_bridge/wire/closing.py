"""Close codes of the gate wire, and when to come again."""

import re
from enum import IntEnum


class GateCloseCode(IntEnum):
    """Why a connection ended; 4000 to 4999 are this wire's own (RFC 6455, section 7.4.2)."""

    TOO_BIG = 1009
    RESTART = 1012
    TRY_AGAIN_LATER = 1013
    MALFORMED = 4400
    IDENTITY_REFUSED = 4401
    LANE_MISMATCH = 4403
    HELLO_MISSING = 4408
    SUPERSEDED = 4409


RETRY_SLOWLY = frozenset(
    {
        GateCloseCode.MALFORMED,
        GateCloseCode.IDENTITY_REFUSED,
        GateCloseCode.LANE_MISMATCH,
        # Two agents of one lane would otherwise take it from each other without a pause.
        GateCloseCode.SUPERSEDED,
    }
)
"""Codes that a quick reconnect cannot mend: a person has to act first."""

GREETINGS_PER_S = 150
"""How many connections a bridge on one core takes in a second, with certificates and a database."""

_HINT = re.compile(r"retry_within_s=(\d{1,4})\Z")


def restart_reason(connections: int) -> str:
    """Return the reason of a restart's close: so many are to come again one after the other."""
    return f"restart; retry_within_s={connections // GREETINGS_PER_S}"


def retry_within_s(reason: str) -> float:
    """Return within how many seconds to come again, at random; 0 where a reason does not say."""
    found = _HINT.search(reason)
    return 0.0 if found is None else float(found[1])
