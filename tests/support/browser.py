"""Headless Chromium, controlled by its DevTools protocol over a WebSocket, without downloads or mocks."""

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

BINARIES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
    *("--remote-debugging-port=0", "--force-color-profile=srgb", "--mute-audio"),
)
START_S = 30.0
ANSWER_S = 90.0
MAX_MESSAGE = 64 * 2**20


def find_chromium() -> str | None:
    """Return the browser's program, or None if none is installed."""
    return next((path for name in BINARIES if (path := shutil.which(name))), None)


class Page:
    """One tab. It records logged errors and every address that the page requests."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.errors: list[str] = []
        self.requests: list[str] = []

    async def listen(self) -> None:
        """Process messages from the browser until cancelled."""
        async for message in self._ws:
            said = json.loads(message.data)
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
            elif said["method"] == "Network.requestWillBeSent":
                self.requests.append(said["params"]["request"]["url"])
            elif said["method"] == "Network.webSocketCreated":
                self.requests.append(said["params"]["url"])
            elif said["method"] == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(said["params"]["exceptionDetails"])[:500])
            elif said["method"] == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.errors.append(said["params"]["entry"]["text"])

    async def send(self, method: str, **params: Any) -> Any:
        number = next(self._ids)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._ws.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(ANSWER_S):
            answer = await self._waiting[number]
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    async def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression; promises are awaited."""
        done = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, f"{script}: {json.dumps(done['exceptionDetails'])[:800]}"
        return done["result"].get("value")

    async def open(self, url: str) -> None:
        await self.send("Page.navigate", url=url)

    async def wait(self, condition: str, seconds: float = 60) -> Any:
        """Wait until a JavaScript expression is true; it is evaluated on every frame."""
        script = (
            "new Promise((done, fail) => { const end = Date.now() + %d; const look = () => { let found; "
            "try { found = (%s); } catch (error) { found = null; } if (found) done(found); "
            "else if (Date.now() > end) fail(new Error('not in time: ' + document.body.innerText.slice(0, 400))); "
            "else setTimeout(look, 30); }; look(); })"
        )
        last = ""
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            try:
                return await self.run(script % (int(1000 * (end - asyncio.get_running_loop().time())), condition))
            except AssertionError as error:  # a page that is being left cancels the script
                last = str(error)
                if "not in time" in last:
                    break
        raise AssertionError(f"{condition}: {last}")

    async def press(self, key: str, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, **more)

    async def resize(self, width: int, height: int, *, is_dark: bool = False) -> None:
        is_phone = width < 600
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_phone
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]
        await self.send("Emulation.setEmulatedMedia", features=scheme)

    async def shoot(self, path: Path, *, whole: bool = False) -> None:
        shot = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(shot["data"]))


@asynccontextmanager
async def open_browser(program: str, folder: Path, flags: Sequence[str] = ()) -> AsyncIterator[Page]:
    """Open a browser with one empty tab and its own profile in `folder`."""
    process = await asyncio.create_subprocess_exec(
        program,
        *FLAGS,
        *flags,
        f"--user-data-dir={folder}",
        "about:blank",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
    )
    try:
        async with asyncio.timeout(START_S):
            place = await _read_place(process)
        async with aiohttp.ClientSession() as http:
            async with http.get(f"http://{place}/json/list") as response:
                target = next(one for one in await response.json() if one["type"] == "page")
            async with http.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=MAX_MESSAGE) as ws:
                page = Page(ws)
                listener = asyncio.ensure_future(page.listen())
                for domain in ("Page", "Runtime", "Network", "Log"):
                    await page.send(f"{domain}.enable")
                yield page
                listener.cancel()
                await asyncio.gather(listener, return_exceptions=True)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def _read_place(process: asyncio.subprocess.Process) -> str:
    """Return host:port of the DevTools, which Chromium writes to its standard error."""
    assert process.stderr is not None
    said = b""
    while line := await process.stderr.readline():
        said += line
        if b"DevTools listening on ws://" in line:
            return line.decode().split("ws://")[1].split("/")[0]
    raise AssertionError(f"chromium did not start: {said[-2000:].decode(errors='replace')}")
