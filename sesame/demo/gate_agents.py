"""The processes of the demo's lanes."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sesame.demo.town import PRIVATE_MODE, TownLane
from sesame.process_spec import PrintedLine, ProcessSpec


def gate_agent(
    lane: TownLane,
    *,
    folder: Path,
    socket: Path,
    gates_url: str,
    environment: Mapping[str, str],
    options: Sequence[str] = (),
) -> ProcessSpec:
    """Return the process that plays a lane.

    Args:
        lane: Whom it plays.
        folder: The lane's own: token, journal and street.
        socket: Where it takes orders; a short path, because sockets allow about 100 bytes.
        gates_url: Where the bridge is.
        environment: The whole environment of the process.
        options: Further options of `sesame gate-agent`.
        options: More options of `sesame gate-agent`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    token = folder / "token"
    token.touch(mode=PRIVATE_MODE)
    token.write_text(lane.token, encoding="ascii")
    arguments = {
        "--url": gates_url.replace("http", "ws", 1),
        "--lane": str(lane.lane_id),
        "--token-file": str(token),
        "--journal": str(folder / "journal.db"),
        "--control": str(socket),
    }
    return ProcessSpec(
        name=lane.key,
        argv=(
            sys.executable,
            "-m",
            "sesame",
            "gate-agent",
            *(part for pair in arguments.items() for part in pair),
            "--json",
            *options,
            *options,
        ),
        environment=environment,
        ready=PrintedLine('"connected"'),
    )
