"""Pages in headless Chromium, and what they show: fixtures for all tests of the dashboard, loaded by conftest.py.

A module that uses them says ``pytestmark = pytest.mark.asyncio(loop_scope="module")``: its tests share one Chromium.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect

from stream.protocol.messages import State
from tests.support.processes import Service, serving
from tests.support.serving import Stage, staged
from tests.support.waiting import PATIENCE

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, WebSocketRoute

CHROMIUM = "/usr/bin/chromium"
HEADLESS = "/usr/bin/chromium-headless-shell"
"""Chromium without windows: the same engine, which opens a page in a third of the processor time."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
HOP = 0.25
"""Seconds from one hop of a publisher to the next."""
NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

SHOWN = """() => ({
    kind: document.querySelector('#now').dataset.kind,
    name: document.querySelector('.now-name').textContent,
    rows: [...document.querySelectorAll('.rows .row')].map((row) => [
        row.dataset.instrument,
        row.querySelector('.row-value').textContent,
        row.querySelector('.bar-fill').style.transform,
        row.querySelector('.bar-raw').style.transform,
    ]),
})"""
"""Reads in one go, between two frames, what the page shows."""


class Tab:
    """A page, and what its console said."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.expected: str | None = None
        """A pattern of what the console may say."""
        page.set_default_timeout(1000 * PATIENCE)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complain(str(error)))

    def complain(self, text: str) -> None:
        """Take note of an error, unless it is the expected one."""
        if self.expected is None or not re.search(self.expected, text):
            self.complaints.append(text)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complain(message.text)

    async def is_in(self, *kinds: str) -> None:
        """Wait for the large type to show one of these kinds of state."""
        await self.page.wait_for_selector(", ".join(f"#now[data-kind={kind}]" for kind in kinds))

    async def shown(self) -> dict[str, Any]:
        """Return what the page shows."""
        shown: dict[str, Any] = await self.page.evaluate(SHOWN)
        return shown

    async def estimate(self) -> dict[str, Any]:
        """Wait for an estimate of the model, and return what the page shows of it."""
        handle = await self.page.wait_for_function(
            f"() => {{ const shown = ({SHOWN})(); return ['instrument', 'unknown'].includes(shown.kind) && shown; }}"
        )
        shown: dict[str, Any] = await handle.json_value()
        return shown | {"rows": [_measured(*row) for row in shown["rows"]]}


class HopPublisher:
    """Publishes what a service hears: a hop every quarter of a second, of the same until it is told something else."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.page = f"http://{stage.address}/"
        """Where the dashboard is."""
        self.seq = 0
        self._heard: tuple[str | None, float, State | None] = ("violin", 0.9, None)

    def play(self, name: str | None = None, confidence: float = 0.9, state: State | None = None) -> None:
        """Let something else sound, from now on: an instrument, or with a state something that is none."""
        self._heard = (name, confidence, state)
        self.hop()

    def hop(self) -> None:
        """Publish what the next hop brings."""
        self.seq += 1
        self.stage.hop(self.seq, *self._heard)

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            self.hop()
            await asyncio.sleep(HOP)


class OpenTab(Protocol):
    """Makes a tab, with the options of a context of Playwright's, and opens an address in it if there is one."""

    def __call__(self, url: str | None = None, **options: Any) -> Awaitable[Tab]:
        """Make it."""


@contextlib.asynccontextmanager
async def window(*flags: str) -> AsyncIterator[BrowserContext]:
    """Chromium as its users have it: a tab hides the others, and those are slowed down. Playwright keeps all awake."""
    from playwright.async_api import async_playwright

    if not os.access(CHROMIUM, os.X_OK):
        pytest.skip(f"{CHROMIUM} is not installed")
    with tempfile.TemporaryDirectory(prefix="soloist-chromium-", ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            CHROMIUM, *FLAGS, *flags, "--headless", "--remote-debugging-port=0", f"--user-data-dir={folder}",
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stderr is not None
            async with asyncio.timeout(PATIENCE):
                told = (await process.stderr.readuntil(b"/devtools/browser/")) + await process.stderr.readline()
            address = told.decode().split()[-1]
            async with async_playwright() as driver:
                browser = await driver.chromium.connect_over_cdp(address, no_defaults=True)
                yield browser.contexts[0]
                await browser.close()
        finally:
            process.terminate()
            await process.communicate()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    path = next((path for path in (HEADLESS, CHROMIUM) if os.access(path, os.X_OK)), None)
    if path is None:
        pytest.skip(f"neither {HEADLESS} nor {CHROMIUM} is installed")
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def exit_stack() -> AsyncIterator[contextlib.AsyncExitStack]:
    """What is entered here lasts until the test's tabs are closed: they complain of a lost server."""
    async with contextlib.AsyncExitStack() as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="module")
async def serve(exit_stack: contextlib.AsyncExitStack) -> Callable[..., Awaitable[Service]]:
    """Runs the program with arguments of the test's own, until its tabs are closed."""

    async def start(*arguments: str, **options: Any) -> Service:
        return await exit_stack.enter_async_context(serving(*arguments, **options))

    return start


@pytest_asyncio.fixture(loop_scope="module")
async def open_tab(browser: Browser, exit_stack: object, request: pytest.FixtureRequest) -> AsyncIterator[OpenTab]:
    """Makes tabs, and finds in the end that their consoles are empty.

    With a folder in SOLOIST_SCREENSHOTS, each test leaves pictures there of what its tabs showed in the end.
    """
    async with contextlib.AsyncExitStack() as stack:
        tabs: list[Tab] = []

        async def make(url: str | None = None, **options: Any) -> Tab:
            context = await browser.new_context(**options)
            stack.push_async_callback(context.close)
            tabs.append(Tab(await context.new_page()))
            if url is not None:
                await tabs[-1].page.goto(url)
            return tabs[-1]

        yield make
        if folder := os.environ.get("SOLOIST_SCREENSHOTS"):
            for number, tab in enumerate(tabs):
                name = re.sub(r"[^\w.-]+", "-", request.node.name)[:100] + f"-{number}"
                await tab.page.screenshot(path=f"{folder}/{name}.png")
    assert [complaint for tab in tabs for complaint in tab.complaints] == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service() -> AsyncIterator[Service]:
    """The program with the demo, for all tests that only watch."""
    async with serving("--input", "demo") as service:
        yield service


@pytest_asyncio.fixture(loop_scope="module")
async def publisher(exit_stack: contextlib.AsyncExitStack) -> AsyncIterator[HopPublisher]:
    """A real server to which the test says what it hears: a violin, to begin with."""
    publisher = HopPublisher(await exit_stack.enter_async_context(staged()))
    playing = asyncio.create_task(publisher.run())
    yield publisher
    playing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await playing


def forward(socket: WebSocketRoute, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """Let the page talk to the real server, with a hand on what it hears: `change` returns another message or None."""
    server = socket.connect_to_server()

    def on_message(text: str | bytes) -> None:
        message = change(json.loads(text))
        if message is not None:
            socket.send(json.dumps(message))

    server.on_message(on_message)


@contextlib.asynccontextmanager
async def labels_of(service: Service) -> AsyncIterator[Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]]:
    """Listen as another client; yields a function that waits for the label which a page shows."""
    async with connect(f"ws://{service.address}/ws") as client:
        seen: list[dict[str, Any]] = []
        news = asyncio.Condition()

        async def listen() -> None:
            async for text in client:
                message = json.loads(text)
                if message["type"] == "label":
                    async with news:
                        seen.append(message)
                        news.notify_all()

        def match(shown: dict[str, Any]) -> dict[str, Any] | None:
            names = [name for name, *_ in shown["rows"]]
            return next((label for label in reversed(seen) if _rows(label, names) == shown["rows"]), None)

        async def find(shown: dict[str, Any]) -> dict[str, Any]:
            async with asyncio.timeout(PATIENCE), news:
                while (found := match(shown)) is None:
                    await news.wait()
                return found

        async with asyncio.TaskGroup() as tasks:
            listener = tasks.create_task(listen())
            yield find
            listener.cancel()


def _rows(label: dict[str, Any], names: list[str]) -> list[list[str]]:
    """Tell what the rows of some instruments have to show for a label."""
    return [
        [name, f"{int(100 * p + 0.5)}\u202f%", f"{p:.4f}", f"{label['raw'][name]:.4f}"]
        for name in names
        if (p := label["probabilities"].get(name)) is not None
    ]


def _measured(name: str, text: str, *transforms: str) -> list[str]:
    """Turn the transforms of a row's bars back into probabilities."""
    fill, raw = (
        float(re.fullmatch(r"translateX\((-?[\d.e-]+)%\)", transform)[1]) / 100  # type: ignore[index]
        for transform in transforms
    )
    return [name, text, f"{1 + fill:.4f}", f"{raw:.4f}"]
