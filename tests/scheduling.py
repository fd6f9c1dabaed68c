"""Which worker of pytest-xdist runs which test."""

from typing import Final

from xdist.scheduler import LoadScopeScheduling

# The mark `xdist_group` does not do it: pytest 9.2 drops the group's name that xdist 3.8 adds.
TOGETHER: Final = {
    # One installation of real processes, which is started once by one worker.
    "installation": (
        "tests/e2e/test_faults.py",
        "tests/e2e/test_bad_input.py",
        "tests/e2e/test_device_lane.py",
        "tests/e2e/test_vzenith_lane.py",
    ),
    # Both prefer the usual ports.
    "ports": ("tests/e2e/test_demo.py", "tests/integration/embedded/test_up.py"),
}


class TogetherScheduling(LoadScopeScheduling):
    """Gives tests that must not run side by side to one worker, and every other one to any."""

    def _split_scope(self, nodeid: str) -> str:
        return next((name for name, files in TOGETHER.items() if nodeid.startswith(files)), nodeid)
