"""What the log of a process may not show."""

import pytest
import structlog

from sesame.cli import configure_log

# Put together here, so that the line of code that fails does not show it.
SECRET = f"BSM{1234}"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_shows_no_local_variables(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    before = structlog.get_config()
    try:
        configure_log(as_json=as_json)
        fail_with(SECRET)
    except RuntimeError as error:
        structlog.get_logger().error("it.failed", exc_info=error)
    finally:
        structlog.configure(**before)
    written = capsys.readouterr().err
    assert "it.failed" in written
    assert "RuntimeError: a defect" in written
    assert SECRET not in written


def fail_with(secret: str) -> None:
    held = secret.upper().lower()
    raise RuntimeError("a defect" if held else "")
