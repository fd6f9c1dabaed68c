"""Pauses between two tries to connect."""

import random

FIRST_S = 0.25
LONGEST_S = 30.0
_DOUBLINGS_MAX = 16


def full_jitter_s(tries: int, longest_s: float = LONGEST_S, hint_s: float = 0.0) -> float:
    """Return a pause for the try after `tries` failures.

    Uniform between nothing and a bound that doubles ("full jitter"): thousands of agents that
    lost one bridge at the same moment come back spread out.

    Args:
        tries: Failures in a row.
        longest_s: The bound's own bound, whatever a bridge wishes.
        hint_s: Within how long the bridge wishes to be asked again.
    """
    bound_s = min(longest_s, max(hint_s, FIRST_S * 2 ** min(tries, _DOUBLINGS_MAX)))
    return random.uniform(0, bound_s)  # noqa: S311 - no secret
