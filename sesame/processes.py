"""The processes of an installation, each `python -m sesame` with its command."""

import sys
from typing import Final

from sesame.installation import Installation
from sesame.process_spec import AnsweringUrl, PrintedLine, ProcessSpec, Ready

# What runs each process, where that is not the command of its name.
_COMMANDS: Final = {"gates": ("gates", "serve")}


def application_processes(installation: Installation) -> tuple[ProcessSpec, ...]:
    """Return API, gate bridge, recognition worker and job worker."""
    ready: dict[str, Ready] = {
        "api": AnsweringUrl(f"{installation.api_url}/readyz"),
        "gates": AnsweringUrl(f"{installation.gates_health_url}/readyz"),
        "recognizer": PrintedLine("recognizer_started"),
        "worker": PrintedLine("worker_started"),
    }
    return tuple(
        ProcessSpec(
            name=name,
            argv=(sys.executable, "-m", "sesame", *_COMMANDS.get(name, (name,))),
            environment=installation.environment,
            ready=check,
        )
        for name, check in ready.items()
    )
