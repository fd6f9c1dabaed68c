"""The site files in the makers' pages are read as they stand."""

import re
from pathlib import Path

import pytest

from gate_bridge.agent.site.host import check_site
from gate_bridge.agent.site.makers import DRIVER_NAMES, FRAMES
from gate_bridge.agent.site.site_file import read_site
from parking.kit.clock import SystemClock

PAGES = Path(__file__).parents[2] / "docs" / "gates"
# Both of Vzenith's ways stand on one page.
NAMES = sorted({name.removesuffix("-mqtt") for name in DRIVER_NAMES if name != FRAMES})
_BLOCK = re.compile(r"```toml\n(.*?)```", re.DOTALL)
_SECRET = re.compile(r'_file = "([^"]+)"')
_HEAD = '[bridge]\nurl = "wss://bridge.example"\n[listener]\nport = 0\n'


def examples(name: str) -> list[str]:
    return _BLOCK.findall((PAGES / f"{name}.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "number"), [(name, number) for name in NAMES for number in range(len(examples(name)))]
)
def test_the_pages_site_file_is_read(name: str, number: int, tmp_path: Path) -> None:
    text = examples(name)[number]
    for secret in _SECRET.findall(text):
        (tmp_path / secret).write_text("secret-of-the-example\n", encoding="utf-8")
        (tmp_path / secret).chmod(0o600)
    file = tmp_path / "site.toml"
    file.write_text(_HEAD + text, encoding="utf-8")
    site = read_site(file)
    drivers = check_site(site, SystemClock())
    assert {driver.name for driver in drivers.values()} <= {name, f"{name}-mqtt"}
    assert len(drivers) == 1


def test_every_page_has_an_example() -> None:
    assert {name: len(examples(name)) for name in NAMES} == dict.fromkeys(NAMES, 1) | {"vzenith": 2}
