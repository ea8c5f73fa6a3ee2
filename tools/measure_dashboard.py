"""Measure what the dashboard costs: ``python -m tools.measure_dashboard [--seconds 60] [--json]``.

A service of its own plays the demo, and headless Chromium shows the page 1280 wide: in a window as high as the page,
so that all of it moves, then in one of 800, without the spectrogram, and behind another tab; then a bare canvas that
scrolls as fast, to compare with, and an empty page. Chromium has no GPU here: it rasters and composes in software.

Figures are of the DevTools protocol (Performance.getMetrics) and of /proc. What else runs on the machine lengthens
tasks and frames, but hardly CPU times. Frame times come last, from a page that asks for every frame, which costs it
something itself; nothing else is counted then.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import BrowserContext, CDPSession, Page

from tests.support.browser import window
from tests.support.processes import serving

TICKS = os.sysconf("SC_CLK_TCK")
PERCENTILES = {"median": 50, "95 %": 95, "99 %": 99}
LATE = 33.4
"""Milliseconds from one frame to the next after which one of 60 a second is missing."""

NOTE_DRAWING = """(() => {
    const request = window.requestAnimationFrame.bind(window);
    const notes = new Float64Array(1 << 18);
    let count = 0, newest = 0;
    window.requestAnimationFrame = (callback) => request((time) => {
        const begun = performance.now();
        callback(time);
        const spent = performance.now() - begun;
        if (time === newest) notes[count - 1] += spent;
        else if (count < notes.length) notes[count++] = spent;
        newest = time;
    });
    window.drawing = { restart() { count = 0; }, get told() { return [...notes.subarray(0, count)]; } };
})()"""
"""Notes for each frame that the page itself asks for how long it took to draw it."""

FRAMES = """(milliseconds) => new Promise((resolve) => {
    const times = [];
    function note(time) {
        times.push(time);
        if (time - times[0] < milliseconds) requestAnimationFrame(note);
        else resolve(times);
    }
    requestAnimationFrame(note);
})"""
"""Asks for every frame, and tells when they began."""

BARE_CANVAS = """<!doctype html><style>body{margin:0;background:#111}</style>
<canvas width=700 height=258></canvas>
<script>
    const canvas = document.querySelector('canvas'), context = canvas.getContext('2d', { alpha: false });
    let drawn = 0;
    function draw(time) {
        const columns = Math.floor(time * 22.05 / 512), fresh = columns - drawn;
        if (fresh > 0) {
            context.drawImage(canvas, -fresh, 0);
            context.fillStyle = `hsl(${columns % 360} 80% 50%)`;
            context.fillRect(canvas.width - fresh, 0, fresh, canvas.height);
            drawn = columns;
        }
        requestAnimationFrame(draw);
    }
    requestAnimationFrame(draw);
</script>"""


def spent(processes: Iterable[int]) -> float:
    """Return the CPU seconds of processes, as far as they still run."""
    ticks = 0
    for process in processes:
        with contextlib.suppress(FileNotFoundError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def percentiles(name: str, values: Sequence[float] | np.ndarray[Any, Any]) -> dict[str, float]:
    """Return the median and the two high percentiles that one notices."""
    if not len(values):
        return {}
    return {f"{name}: {text}": float(np.percentile(values, at)) for text, at in PERCENTILES.items()}


class Watch:
    """Reads the figures of one page, its browser and the service.

    Parameters
    ----------
    page : Page
        In a browser that has no other business.
    session : CDPSession
        Of the page.
    whole : CDPSession
        Of the browser.
    service : int
        Process of the service.
    """

    def __init__(self, page: Page, session: CDPSession, whole: CDPSession, service: int) -> None:
        self.page = page
        self.session = session
        self.whole = whole
        self.service = service

    async def counters(self) -> dict[str, float]:
        """Return what only grows (s), and the heap (bytes) and the nodes of the page at the moment."""
        told = (await self.session.send("Performance.getMetrics"))["metrics"]
        running = (await self.whole.send("SystemInfo.getProcessInfo"))["processInfo"]
        processes = Counter[str]()
        for process in running:
            processes[process["type"].lower()] += spent([process["id"]])  # type: ignore[assignment]
        return {
            **{figure["name"]: figure["value"] for figure in told},
            "browser": processes["browser"],
            "renderer": processes["renderer"],
            "gpu": processes["gpu"],
            "service": spent([self.service]),
        }

    async def figures(self, seconds: float) -> dict[str, float]:
        """Watch for a while."""
        await self.session.send("HeapProfiler.collectGarbage")
        await self.page.evaluate("() => drawing.restart()")
        before = await self.counters()
        await asyncio.sleep(seconds)
        after = await self.counters()
        drawing = await self.page.evaluate("() => drawing.told")
        await self.session.send("HeapProfiler.collectGarbage")
        kept = await self.counters()
        passed = after["Timestamp"] - before["Timestamp"]

        def share(name: str) -> float:
            return 100 * (after[name] - before[name]) / passed

        figures = {
            "main thread, %": share("TaskDuration"),
            "- its CPU, %": share("ThreadTime") if "ThreadTime" in after else float("nan"),
            "- script, %": share("ScriptDuration"),
            "- style, %": share("RecalcStyleDuration"),
            "- layout, %": share("LayoutDuration"),
            "CPU of renderer, %": share("renderer"),
            "CPU of GPU process, %": share("gpu"),
            "CPU of browser, %": share("browser"),
            "CPU of service, %": share("service"),
            "drawings a second": len(drawing) / passed,
            **percentiles("drawing, ms", drawing),
        }
        return figures | {
            "heap kept, KiB": (kept["JSHeapUsedSize"] - before["JSHeapUsedSize"]) / 1024,
            "heap, MiB": kept["JSHeapUsedSize"] / 1024**2,
            "nodes": after["Nodes"],
            "nodes more": after["Nodes"] - before["Nodes"],
        }

    async def frames(self, seconds: float) -> dict[str, float]:
        """Ask for every frame for a while."""
        times = np.diff(await self.page.evaluate(FRAMES, 1000 * seconds))
        late = 100 * float(np.mean(times > LATE))
        return percentiles("frame, ms", times) | {"frames over 33 ms, %": late}

    async def traffic(self, seconds: float) -> float:
        """Return what the page's socket receives in a second, in KiB. This costs the browser something itself."""
        sizes: list[int] = []
        self.session.on(
            "Network.webSocketFrameReceived", lambda event: sizes.append(len(event["response"]["payloadData"]))
        )
        await self.session.send("Network.enable")
        await asyncio.sleep(seconds)
        await self.session.send("Network.disable")
        return sum(sizes) / seconds / 1024


@contextlib.asynccontextmanager
async def watching(context: BrowserContext, process: int, *scripts: str) -> AsyncIterator[Watch]:
    """Watch a new page, which runs some scripts before its own."""
    page = await context.new_page()
    await page.set_viewport_size({"width": 1280, "height": 800})
    for script in (NOTE_DRAWING, *scripts):
        await page.add_init_script(script)
    session = await context.new_cdp_session(page)
    await session.send("Performance.enable")
    assert context.browser is not None
    yield Watch(page, session, await context.browser.new_browser_cdp_session(), process)
    await page.close()


async def measure(seconds: float) -> AsyncIterator[tuple[str, dict[str, float]]]:
    """Measure one case after the other."""
    async with serving("--input", "demo") as service, window() as context:
        for case in ("all of it", "800 high", "no spectrogram", "hidden", "bare canvas", "empty"):
            async with watching(context, service.process.pid) as watch:
                page = watch.page
                if case in ("bare canvas", "empty"):
                    await page.goto("about:blank")
                    await page.set_content(BARE_CANVAS if case == "bare canvas" else "<!doctype html>")
                else:
                    await page.goto(service.url)
                    await page.wait_for_selector("#now[data-kind=instrument]")
                    height = await page.evaluate("() => document.scrollingElement.scrollHeight")
                    await page.set_viewport_size({"width": 1280, "height": 800 if case == "800 high" else height})
                spectrogram = page.get_by_role("region", name="Spectrogram")
                if case == "no spectrogram":
                    await spectrogram.get_by_role("button", name="Hide").click()
                if case == "hidden":
                    await context.new_page()
                    await page.wait_for_function("() => document.hidden", polling=100)
                await asyncio.sleep(min(15, seconds))  # what is drawn once, and the first columns, are over by then
                figures = await watch.figures(seconds)
                figures |= {"received, KiB/s": await watch.traffic(min(10, seconds))}
                if case != "hidden":
                    figures |= await watch.frames(min(20, seconds))
                if case == "no spectrogram":
                    await spectrogram.get_by_role("button", name="Show").click()  # the choice is kept
                yield case, figures


async def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of each case")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    cases = {}
    async for case, figures in measure(options.seconds):
        cases[case] = figures
        print(f"{case}: {figures['main thread, %']:.1f} % of the main thread", file=sys.stderr)  # noqa: T201
    if options.json:
        print(json.dumps(cases, indent=2))  # noqa: T201
        return
    print("| | " + " | ".join(cases) + " |\n| --- |" + " ---: |" * len(cases))  # noqa: T201
    for name in next(iter(cases.values())):
        told = (figures.get(name) for figures in cases.values())
        print(f"| {name} | " + " | ".join("" if it is None else f"{it:.1f}" for it in told) + " |")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
