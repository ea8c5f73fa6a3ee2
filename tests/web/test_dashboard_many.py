"""The dashboard with more instruments than there are places for: who is heard has one, and the others are not far."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from stream.protocol.messages import Segment
from tests.support.browser import HOP, OpenTab
from tests.support.serving import HELLO, Stage, label
from tests.web.test_dashboard_access import AUDIT, axe
from tests.web.test_dashboard_layout import EXTREMES, FAULTS
from train.datasets.labels import ALL_LABELS, INSTRUMENTS

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = replace(HELLO, labels=list(ALL_LABELS), lineup=list(ALL_LABELS))
ROWS = "() => [...document.querySelectorAll('.rows .row')].map((row) => row.dataset.instrument)"
LANES = "() => [...document.querySelectorAll('.lane')].map((lane) => lane.dataset.instrument ?? lane.dataset.for)"
FRONT = f"""name => document.querySelector('.now-name').textContent.toLowerCase() === name
    && document.querySelector(`.rows [data-instrument="${{name}}"]`)?.dataset.front === 'true'
    && {{ rows: ({ROWS})(), others: document.querySelector('.others').innerText }}"""

DRAWN = """async ([lane, names]) => {
    const { colour } = await import('/palette.js');
    const canvas = document.querySelector('.ribbon-canvas');
    const { top } = canvas.getBoundingClientRect();
    const { bottom } = document.querySelector(`.lane[data-for=${lane}]`).getBoundingClientRect();
    const { data } = canvas.getContext('2d').getImageData(0, Math.round(bottom - top) - 5, canvas.width, 1);
    const seen = new Set();
    for (let x = 0; x < data.length; x += 4) seen.add(data[x] * 65536 + data[x + 1] * 256 + data[x + 2]);
    return names.every((name) => seen.has(parseInt(colour(name).slice(1), 16)));
}"""
"""Whether the colours of these instruments are seen in a lane."""


class Band:
    """Plays one of many instruments, until it is told to play another one."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.page = f"http://{stage.address}/"
        self.seq = 0
        self._heard: tuple[str, dict[str, float]] = ("violin", {})

    def play(self, name: str, **others: float) -> None:
        """Let an instrument be in front from now on, with the probabilities of others."""
        self._heard = (name, others)
        self.hop()

    def hop(self) -> None:
        """Publish what the next hop brings."""
        self.seq += 1
        name, others = self._heard
        probabilities = {**dict.fromkeys(ALL_LABELS, 0.0), **others, name: 0.7}
        self.stage.time = HOP * self.seq
        self.stage.server.publish(
            replace(label(self.seq, name, 0.7, since=self.stage.time), probabilities=probabilities, raw=probabilities)
        )

    async def run(self) -> None:
        """Play for ever."""
        while True:
            self.hop()
            await asyncio.sleep(HOP)


@pytest_asyncio.fixture(loop_scope="module")
async def band(stage: Stage) -> AsyncIterator[Band]:
    """A server that hears many instruments: a violin, to begin with."""
    stage.server.publish(MANY)
    band = Band(stage)
    playing = asyncio.create_task(band.run())
    yield band
    playing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await playing


async def front(page: Page, name: str) -> Any:
    """Wait for an instrument to be in front, and return the rows and what is said of the others."""
    return await (await page.wait_for_function(FRONT, arg=name)).json_value()


async def lanes(page: Page, wanted: list[str]) -> None:
    """Wait for the timeline to have these lanes."""
    await page.wait_for_function(f"wanted => ({LANES})().join() === wanted.join()", arg=wanted)


async def test_who_is_heard_has_a_place_and_keeps_it(open_tab: OpenTab, band: Band) -> None:
    """Newcomers take places of those not heard, nobody else moves, and the rest is told as a sum."""
    page = (await open_tab(band.page)).page
    before = (await front(page, "violin"))["rows"]
    assert before == [*INSTRUMENTS]
    band.play("oboe", cello=0.2, bassoon=0.04, organ=0.03)
    after = await front(page, "oboe")
    assert {*after["rows"]} - {*before} == {"oboe", "cello"}
    assert sum(one != other for one, other in zip(before, after["rows"], strict=True)) == 2
    assert after["others"] == "23 others\n7\u202f%"
    for name in ALL_LABELS[-9:]:
        band.play(name)
        assert len((await front(page, name))["rows"]) == len(before)


async def test_all_of_many_are_found_by_family(open_tab: OpenTab, band: Band) -> None:
    """One button shows all, in families, on every screen and after a reload; those not tonight are folded away."""
    publish = band.stage.server.publish
    publish(replace(MANY, lineup=list(INSTRUMENTS)))
    page = (await open_tab(reduced_motion="reduce")).page
    await page.add_init_script(path=axe.AXE_FILE_PATH)
    await page.goto(band.page)
    assert await front(page, "violin") == {"rows": [*INSTRUMENTS], "others": "23 others, not tonight"}
    await lanes(page, [*INSTRUMENTS, ""])
    publish(MANY)
    more = page.locator("#instruments").get_by_role("button", name="23 others", exact=True)
    await more.wait_for()

    async def fits() -> None:
        for width, height in EXTREMES:
            await page.set_viewport_size({"width": width, "height": height})
            assert await page.evaluate(FAULTS) == [], f"{width} x {height}"

    await fits()
    await page.locator("#summary > summary").click()
    await fits()
    await page.locator("#summary > summary").click()
    await more.click()
    fewer = page.locator("#instruments").get_by_role("button", name="Show fewer", expanded=True)
    await fewer.wait_for()
    assert sorted(await page.evaluate(ROWS)) == sorted(ALL_LABELS)
    strings = page.get_by_role("list", name="Strings", exact=True).get_by_role("listitem")
    assert [text.split("\n")[0] for text in await strings.all_inner_texts()] == [
        "Violin", "Viola", "Cello", "String section",
    ]  # fmt: skip
    await fits()
    assert await page.evaluate(AUDIT) == []
    await page.reload()
    assert len((await front(page, "violin"))["rows"]) == len(ALL_LABELS)
    await fewer.click()
    await more.wait_for()
    assert len(await page.evaluate(ROWS)) == len(INSTRUMENTS)


async def test_timeline_has_lanes_for_those_heard_most(open_tab: OpenTab, stage: Stage) -> None:
    """Lanes come with those who are heard, stay where they are, and go to who is heard longer; the rest share one."""
    stage.server.publish(MANY)
    heard = [*ALL_LABELS[8:18]]
    start = 0.0
    page = (await open_tab(f"http://{stage.address}/", viewport={"width": 1280, "height": 900})).page
    await lanes(page, ["free"] * 4 + ["others", ""])
    for number, name in enumerate(heard):
        start, before = start + (6 + number if number < 8 else 4), start
        stage.server.publish(Segment(before, start, "instrument", name, 0.9))
    await lanes(page, [*heard[:8], "others", ""])
    stage.time = start + 20
    stage.server.publish(replace(label(int(4 * stage.time), None), since=stage.time))
    stage.server.publish(Segment(start, start + 20, "instrument", "noise", 0.9))
    await lanes(page, ["noise", *heard[1:8], "others", ""])
    # Who has no lane is drawn in that of the others, and the tip tells who it is.
    await page.wait_for_function(DRAWN, arg=["others", ["french horn", "male singer"]])
    await page.focus(".ribbon-canvas")
    for words in ("Unknown", "Noise", "Male singer"):
        await page.keyboard.press("ArrowLeft")
        await page.wait_for_function("words => document.querySelector('.tip p')?.textContent === words", arg=words)
