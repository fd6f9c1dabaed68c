"""The stand-ins of FCM and of the SMS gateway, served from a thread of the bench."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import uvicorn
from starlette.types import ASGIApp

from parking.kit.clock import SystemClock
from sesame.bench.errors import BenchFailedError
from sesame.sandbox.fcm import create_fcm_stand_in, new_service_account
from sesame.sandbox.sms import create_sms_stand_in

SECRET: Final = "what the bench and its gateway share"  # noqa: S105 - on loopback, for a minute
START_S: Final = 10.0
READ_TIMEOUT_S: Final = 30.0
POLL_S: Final = 0.01
# Longer than a sender keeps an idle connection, so that it is the sender who closes it.
KEEPALIVE_S: Final = 30
# How each temper fails, once for each of its messages on average, before it goes well.
_RULES: Final = {"busy": "quota", "away": "unavailable", "cut": "reset"}


@dataclass(frozen=True, slots=True)
class Services:
    """Where they are, and what opens them."""

    fcm_url: str
    sms_url: str
    credentials_file: Path

    def environment(self) -> dict[str, str]:
        """Return what tells a worker of them."""
        return {
            "SESAME_FCM_CREDENTIALS_FILE": str(self.credentials_file),
            "SESAME_FCM_ENDPOINT": self.fcm_url,
            "SESAME_SMS_WEBHOOK_URL": f"{self.sms_url}/messages",
            "SESAME_SMS_WEBHOOK_SECRET": SECRET,
        }

    async def misbehave(self, messages: int) -> None:
        """Let as many messages to each ill-tempered kind of phone fail."""
        async with httpx.AsyncClient(timeout=READ_TIMEOUT_S, trust_env=False) as client:
            for temper, scenario in _RULES.items():
                rule = {"scenario": scenario, "count": messages, "target_prefix": f"{temper}-"}
                answer = await client.post(
                    f"{self.fcm_url}/_control", json=rule | {"retry_after_s": 1}
                )
                answer.raise_for_status()

    async def pushed(self) -> list[dict[str, Any]]:
        """Return every message that FCM got, with what became of it."""
        async with httpx.AsyncClient(timeout=READ_TIMEOUT_S, trust_env=False) as client:
            answer = await client.get(f"{self.fcm_url}/_log")
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return messages


@contextmanager
def services(folder: Path) -> Generator[Services]:
    """Serve both for the length of the block."""
    account = new_service_account("bench")
    clock = SystemClock()
    with (
        _serving(create_fcm_stand_in(account, clock)) as fcm_url,
        _serving(create_sms_stand_in(SECRET, clock)) as sms_url,
    ):
        path = folder / "fcm-account.json"
        path.write_text(account.to_json(fcm_url), encoding="ascii")
        yield Services(fcm_url, sms_url, path)


@contextmanager
def _serving(app: ASGIApp) -> Generator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        ws="none",
        lifespan="off",
        timeout_keep_alive=KEEPALIVE_S,
    )
    server = uvicorn.Server(config)
    started = threading.Event()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        for _ in range(int(START_S / POLL_S)):
            if server.started:
                break
            started.wait(POLL_S)
        else:
            raise BenchFailedError("a stand-in did not start")
        yield url
    finally:
        server.should_exit = True
        thread.join(START_S)
        listener.close()
