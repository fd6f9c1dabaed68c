"""Which worker of pytest-xdist runs which test."""

from typing import Final

from xdist.scheduler import LoadScopeScheduling

# These share one installation of real processes, which is started once by one worker. The mark
# `xdist_group` does not do it: pytest 9.2 drops the group's name that xdist 3.8 adds to a test.
TOGETHER: Final = ("tests/e2e/test_faults.py", "tests/e2e/test_bad_input.py")


class TogetherScheduling(LoadScopeScheduling):
    """Gives the tests that share an installation to one worker, and every other one to any."""

    def _split_scope(self, nodeid: str) -> str:
        return "together" if nodeid.startswith(TOGETHER) else nodeid
