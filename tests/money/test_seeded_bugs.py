"""Bugs put into the product on purpose, each in a copy of it: a story must find every one.

`tests/seeded_bugs/*.patch` hold them, with what a customer would suffer. The working tree is never
touched. A patch that no longer applies fails here, and is to be written anew.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class SeededBug:
    """What a patch says about itself, before its first change.

    Attributes:
        promises: The numbers of those that it breaks; any of them may be the one that is seen.
        favoured: The act that it spoils, where it must come often to be seen; else empty.
        first: The seed that found it when it was written.
    """

    promises: frozenset[int]
    suffering: str
    favoured: str
    first: int


def read_header(patch: Path) -> SeededBug:
    """Read the lines `Name: value` above the change."""
    head = patch.read_text(encoding="utf-8").partition("\n--- ")[0]
    fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    promises = frozenset(int(number) for number in fields["Breaks"].split(","))
    return SeededBug(promises, fields["Suffering"], fields.get("Spoils", ""), int(fields["Seed"]))


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
    copy = copy_product(tmp_path / "product")
    apply(patch, copy)
    report = tell(copy, stack, bug)
    assert report["promise"] is not None, f"nothing found {patch.name}: {report['told']}"
    assert report["promise"] in bug.promises, f"{patch.name} was found as: {report['what']}"


def copy_product(target: Path) -> Path:
    """Copy what a story needs, with what is compiled: a patch makes only its own files newer."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, target / name)
    (target / "tests").mkdir()
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


def tell(copy: Path, stack: Stack, bug: SeededBug) -> dict[str, object]:
    """Tell stories with the changed code until one breaks a promise."""
    options = {
        "--postgres": stack.endpoints.database_url,
        "--valkey": stack.endpoints.redis_url,
        "--first": str(bug.first),
        "--stories": str(STORIES_MAX),
        "--steps": str(STEPS),
        **({"--favour": bug.favoured} if bug.favoured else {}),
    }
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.money.tell",
            *(p for pair in options.items() for p in pair),
        ],
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
