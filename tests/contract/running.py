"""One stand-in for a whole run of tests, and an adapter put against it for each of them."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import httpx
from starlette.applications import Starlette

from parking.kit.clock import Clock, SystemClock
from tests.contract.http_server import listener, serving, url_of
from tests.contract.payment_stages import NoticeReceiver, StandInStage
from tests.factories.stand_ins import Ground

Settings = TypeVar("Settings")
StageType = TypeVar("StageType", bound=StandInStage)


@dataclass(frozen=True, slots=True)
class Running(Generic[Settings]):
    """A stand-in that is served, and the receiver where it posts its notices."""

    settings: Settings
    receiver: NoticeReceiver
    url: str
    notice_url: str


@contextmanager
def running(
    folder: Path,
    build: Callable[[Ground], tuple[Starlette, Settings]],
    clock: Clock | None = None,
) -> Generator[Running[Settings]]:
    """Serve a stand-in, and a receiver of its notices."""
    platform_socket, merchant_socket = listener(), listener()
    url, notice_url = url_of(platform_socket), f"{url_of(merchant_socket)}/notices"
    app, settings = build(Ground(folder, url, notice_url, clock or SystemClock()))
    receiver = NoticeReceiver()
    with serving(app, platform_socket), serving(receiver.app, merchant_socket):
        yield Running(settings, receiver, url, notice_url)


@asynccontextmanager
async def on_stage(
    stage_type: Callable[..., StageType], where: Running[Settings]
) -> AsyncGenerator[StageType]:
    """Put an adapter against a stand-in that behaves well until told otherwise."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - loopback
        stage = stage_type(where.url, where.receiver, client, settings=where.settings)
        await stage.open(where.notice_url)
        yield stage
        await stage.aclose()
