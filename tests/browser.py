"""A real browser, by Chromium's own protocol: only what the tests of pages need."""

import asyncio
import itertools
import json
import os
import shutil
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

from websockets.asyncio.client import ClientConnection, connect

CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
START_S_MAX: Final = 60.0
WAIT_S_MAX: Final = 30.0
POLL_S: Final = 0.05
_OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-port=0",
)

Called = Callable[[Any], Awaitable[None]]


class Tab:
    """One tab with cookies of its own, which calls itself what it is told to."""

    def __init__(self, browser: "Browser", session: str) -> None:
        self._browser = browser
        self._session = session
        self.errors: list[str] = []

    async def send(self, method: str, **params: object) -> dict[str, Any]:
        """Call the protocol."""
        return await self._browser.send(method, self._session, **params)

    async def open(self, url: str) -> None:
        """Go to an address, and wait until its page is there."""
        await self.send("Page.navigate", url=url)
        await self.wait_for("document.readyState === 'complete'")

    async def press(self, words: str) -> None:
        """Press the button that says this, which leads to another page or to a call."""
        found = f"[...document.querySelectorAll('button')].find(b => b.innerText === {words!r})"
        await self.wait_for(f"{found} !== undefined && !{found}.hidden")
        await self.evaluate(f"{found}.click()")

    async def evaluate(self, script: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return what a script comes to in the page."""
        done = await self.send("Runtime.evaluate", expression=script, returnByValue=True)
        return done["result"].get("value")

    async def text(self) -> str:
        """Return what the page says."""
        return await self.evaluate("document.body.innerText")

    async def wait_for(self, script: str) -> None:
        """Wait until a script comes to something true; pages may come and go meanwhile."""
        async with asyncio.timeout(WAIT_S_MAX):
            while True:
                try:
                    if await self.evaluate(script):
                        return
                except ConnectionAbortedError:
                    pass
                await asyncio.sleep(POLL_S)

    async def wait_for_text(self, words: str) -> None:
        """Wait until the page says this."""
        await self.wait_for(f"document.body?.innerText.includes({words!r})")

    async def cookies(self, url: str) -> dict[str, str]:
        """Return what the browser would send to an address."""
        found = await self.send("Network.getCookies", urls=[url])
        return {cookie["name"]: cookie["value"] for cookie in found["cookies"]}

    async def play(self, script: str, name: str, called: Called) -> None:
        """Put a script before each page's own, and call back when it calls `name` with JSON."""
        self._browser.on_called(self._session, called)
        await self.send("Runtime.addBinding", name=name)
        await self.send("Page.addScriptToEvaluateOnNewDocument", source=script)


class Browser:
    """One process of Chromium."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._called: dict[str, Called] = {}
        self._tabs: dict[str, Tab] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def start(cls, folder: Path) -> AsyncGenerator[Self]:
        """Run Chromium with an empty profile, for the length of the block."""
        assert CHROMIUM is not None
        process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *_OPTIONS,
            f"--user-data-dir={folder}",
            stdout=DEVNULL,
            stderr=DEVNULL,
            env={**os.environ, "HOME": str(folder)},
        )
        try:
            async with connect(await _address(folder), max_size=None) as socket:
                browser = cls(socket)
                reading = asyncio.create_task(browser._read())
                yield browser
                reading.cancel()
        finally:
            process.terminate()
            await process.wait()

    async def tab(self, user_agent: str) -> Tab:
        """Open a tab that knows no cookies."""
        context = await self.send("Target.createBrowserContext", None)
        target = await self.send(
            "Target.createTarget",
            None,
            url="about:blank",
            browserContextId=context["browserContextId"],
        )
        attached = await self.send(
            "Target.attachToTarget", None, targetId=target["targetId"], flatten=True
        )
        tab = self._tabs[attached["sessionId"]] = Tab(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            await tab.send(f"{domain}.enable")
        await tab.send("Network.setUserAgentOverride", userAgent=user_agent)
        return tab

    def on_called(self, session: str, called: Called) -> None:
        """Remember whom a tab's binding calls."""
        self._called[session] = called

    async def send(self, method: str, session: str | None, **params: object) -> dict[str, Any]:
        """Call the protocol, and return the result."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        call = {"id": number, "method": method, "params": params}
        await self._socket.send(json.dumps(call | ({"sessionId": session} if session else {})))
        return await answer

    async def _read(self) -> None:
        async for text in self._socket:
            said = json.loads(text)
            if "id" in said:
                self._answered(said)
            elif said["method"] == "Runtime.bindingCalled":
                called = self._called[said["sessionId"]]
                task = asyncio.ensure_future(_call(called, said["params"]["payload"]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            elif said["method"] == "Log.entryAdded" and said.get("sessionId") in self._tabs:
                entry = said["params"]["entry"]
                self._tabs[said["sessionId"]].errors.append(entry["text"])

    def _answered(self, said: dict[str, Any]) -> None:
        answer = self._waiting.pop(said["id"])
        if answer.cancelled():
            return
        if "error" in said:
            # Mostly a page that went away while a script ran in it.
            answer.set_exception(ConnectionAbortedError(said["error"]["message"]))
        else:
            answer.set_result(said["result"])


async def _call(called: Called, payload: str) -> None:
    await called(json.loads(payload))


async def _address(folder: Path) -> str:
    port_file = folder / "DevToolsActivePort"
    async with asyncio.timeout(START_S_MAX):
        while True:
            lines = port_file.read_text().splitlines() if port_file.exists() else []
            if len(lines) > 1:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            await asyncio.sleep(POLL_S)
