"""Bugs put into the product on purpose, each in a copy of it: a story must find every one.

`tests/seeded_bugs/*.patch` hold them, with what a customer would suffer. The working tree is never
touched. A patch that no longer applies fails here, and is to be written anew.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from sesame.embedded.stack import Stack

ROOT: Final = Path(__file__).parents[2]
PATCHES: Final = sorted((ROOT / "tests" / "seeded_bugs").glob("*.patch"))
PACKAGES: Final = ("api", "gate_bridge", "notifications", "parking", "recognition", "sesame")
TESTS: Final = ("contract", "factories", "money", "servers.py")
STORIES_MAX: Final = 24
STEPS: Final = 60
TIMEOUT_S: Final = 220
BUGS_MIN: Final = 10
PROMISES: Final = range(1, 11)
BROKEN: Final = 3
# As `python -m tests.money.tell`, but nothing is collected while it imports.
TELL: Final = (
    "import gc; gc.disable(); from tests.money.tell import main; gc.freeze(); gc.enable(); main()"
)


@dataclass(frozen=True, slots=True)
class SeededBug:
    """What a patch says about itself, before its first change.

    Attributes:
        promises: The numbers of those that it breaks; any of them may be the one that is seen.
        favoured: The act that it spoils, where it must come often to be seen; else empty.
        first: The seed that found it soonest when it was written.
        steps: How long the first story is: short where all is seen when everything recovered.
    """

    promises: frozenset[int]
    suffering: str
    favoured: str
    first: int
    steps: int


def read_header(patch: Path) -> SeededBug:
    """Read the lines `Name: value` above the change."""
    head = patch.read_text(encoding="utf-8").partition("\n--- ")[0]
    fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    promises = frozenset(int(number) for number in fields["Breaks"].split(","))
    return SeededBug(
        promises=promises,
        suffering=fields["Suffering"],
        favoured=fields.get("Spoils", ""),
        first=int(fields["Seed"]),
        steps=int(fields.get("Steps", STEPS)),
    )


def test_bugs_cover_every_promise() -> None:
    bugs = [read_header(patch) for patch in PATCHES]
    assert len(bugs) >= BUGS_MIN
    assert {number for bug in bugs for number in bug.promises} == set(PROMISES)
    assert all(bug.suffering for bug in bugs)


@pytest.mark.timeout(TIMEOUT_S + 20)
@pytest.mark.parametrize("patch", PATCHES, ids=[patch.stem for patch in PATCHES])
def test_bug_is_found(patch: Path, stack: Stack, database_template: str, tmp_path: Path) -> None:
    assert database_template
    bug = read_header(patch)
    copy = copy_product(tmp_path / "product", patch)
    apply(patch, copy)
    report = tell(copy, stack, bug, stories=STORIES_MAX if bug.steps == STEPS else 1)
    if report["promise"] is None and bug.steps != STEPS:
        report = tell(copy, stack, replace(bug, steps=STEPS), stories=STORIES_MAX)
    assert report["promise"] is not None, f"nothing found {patch.name}: {report['told']}"
    assert report["promise"] in bug.promises, f"{patch.name} was found as: {report['what']}"


def copy_product(target: Path, patch: Path) -> Path:
    """Copy what a patch changes, with what is compiled: only its own files become newer."""
    (target / "tests").mkdir(parents=True)
    change = patch.read_text(encoding="utf-8")
    for name in PACKAGES:
        if f"\n+++ b/{name}/" in change:
            shutil.copytree(ROOT / name, target / name)
        else:
            (target / name).symlink_to(ROOT / name)
    for name in TESTS:
        source = ROOT / "tests" / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("test_*")
            shutil.copytree(source, target / "tests" / name, ignore=ignored)
        else:
            shutil.copy(source, target / "tests" / name)
    return target


def apply(patch: Path, copy: Path) -> None:
    """Apply a patch to the copy."""
    done = subprocess.run(
        ["git", "apply", "--verbose", str(patch)],  # noqa: S607 - whatever git the machine has
        cwd=copy,
        # A repository further up must not make git look at other files.
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(copy.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{patch.name} does not apply any more:\n{done.stderr}"


def tell(copy: Path, stack: Stack, bug: SeededBug, *, stories: int) -> dict[str, object]:
    """Tell stories with the changed code until one breaks a promise."""
    options = {
        "--postgres": stack.endpoints.database_url,
        "--valkey": stack.endpoints.redis_url,
        "--first": str(bug.first),
        "--stories": str(stories),
        "--steps": str(bug.steps),
        **({"--favour": bug.favoured} if bug.favoured else {}),
    }
    done = subprocess.run(
        [sys.executable, "-c", TELL, *(part for pair in options.items() for part in pair)],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    # Anything else, such as a crash, is not a proof that the bug would be seen.
    assert done.returncode in {0, BROKEN}, done.stderr[-2000:]
    report: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return report
