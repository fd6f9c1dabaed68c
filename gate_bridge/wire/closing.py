"""Close codes of the gate wire."""

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
