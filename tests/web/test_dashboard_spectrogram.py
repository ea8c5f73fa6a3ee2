"""The dashboard's spectrogram: what it draws, where, and that it asks for nothing while nobody looks."""

from __future__ import annotations

import asyncio
import itertools
import wave
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream.protocol.messages import Spectrum
from stream.recognition.mel import HOP_LENGTH, N_MELS, SAMPLE_RATE, WINDOW, mel_edges
from tests.support.browser import PATIENCE, HopPublisher, OpenTab, Tab, forward, window
from tests.support.processes import serving
from tests.support.serving import staged

pytestmark = pytest.mark.asyncio(loop_scope="module")

BATCH = 11
"""Frames of a hop."""
COUNTED = """() => {
    globalThis.counted = {};
    for (const method of ['putImageData', 'drawImage', 'fillRect']) {
        const original = CanvasRenderingContext2D.prototype[method];
        CanvasRenderingContext2D.prototype[method] = function (...values) {
            if (this.canvas.closest('.spectrogram')) {
                const name = method === 'putImageData' ? `${values[0].width}x${values[0].height}` : method;
                counted[name] = (counted[name] ?? 0) + 1;
            }
            return original.apply(this, values);
        };
    }
}"""
"""Counts what is drawn in the spectrogram."""
PICTURE = """() => {
    const columns = [];
    for (const canvas of document.querySelectorAll('.spectrogram-strip canvas')) {
        const { left, top, width, height } = canvas.getBoundingClientRect();
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        for (let column = 0; column < canvas.width; column++) {
            const rows = Array.from({ length: canvas.height }, (_, row) => {
                const [red, green, blue, alpha] = data.subarray(4 * (row * canvas.width + column));
                return alpha && red + green + blue;
            });
            if (!rows.some(Boolean)) continue;
            const brightest = rows.indexOf(Math.max(...rows));
            columns.push({
                left: left + column * width / canvas.width,
                right: left + (column + 1) * width / canvas.width,
                y: top + (brightest + 0.5) * height / canvas.height,
                row: brightest,
            });
        }
    }
    return columns.sort((one, other) => one.left - other.left);
}"""
"""Reads the columns that are drawn, from left to right: where they are on the page, and where they are brightest."""


def frames(rows: Iterable[int]) -> list[list[float]]:
    """Make frames of silence, but for one loud band each, counted from the top."""
    return [[20.0 if N_MELS - 1 - band == row else -100.0 for band in range(N_MELS)] for row in rows]


class Screen:
    """Plays columns to a page: each is loud in the row that its number says."""

    def __init__(self, tab: Tab, publisher: HopPublisher) -> None:
        self.tab = tab
        self.publisher = publisher
        self.column = 0
        """The next one."""

    async def play(self, batches: int = 1) -> None:
        """Publish hops of frames, each when the page has drawn the one before."""
        for _ in range(batches):
            self.publish(frames(number % N_MELS for number in range(self.column, self.column + BATCH)))
            await self.shows((self.column - 1) % N_MELS)

    def publish(self, columns: list[list[float]]) -> None:
        """Publish frames that follow the last ones."""
        self.column += len(columns)
        end = (self.column - 1) * HOP_LENGTH + 1024  # the newest frame is centred 1024 samples before
        self.publisher.stage.server.publish(Spectrum(end / SAMPLE_RATE, columns))

    async def shows(self, row: int) -> None:
        """Wait until the newest column is loud in a row."""
        await self.tab.page.wait_for_function(f"() => ({PICTURE})().at(-1)?.row === {row}")

    async def wants(self, wanted: bool) -> None:
        """Wait until the page asks for spectra, or for none."""
        await asks(self.tab, self.publisher, "spectrum", wanted)

    async def picture(self) -> list[dict[str, Any]]:
        """Return the columns that are drawn."""
        columns: list[dict[str, Any]] = await self.tab.page.evaluate(PICTURE)
        return columns


async def asks(tab: Tab, publisher: HopPublisher, kind: str, wanted: bool) -> None:
    """Wait until the page has subscribed to a type, or has not."""
    async with asyncio.timeout(PATIENCE):
        while publisher.stage.server.wants(kind) is not wanted:
            await tab.page.evaluate("0")


async def opened(open_tab: OpenTab, publisher: HopPublisher, **options: Any) -> Screen:
    """Open the page and bring the spectrogram into view."""
    tab = await open_tab(**options)
    await tab.page.add_init_script(f"({COUNTED})()")
    await tab.page.goto(publisher.page)
    await tab.page.wait_for_selector("#link[data-phase=live]")
    await tab.page.locator(".spectrogram-plot").scroll_into_view_if_needed()
    screen = Screen(tab, publisher)
    await screen.wants(True)
    await tab.page.wait_for_selector(".spectrogram-veil", state="hidden")
    return screen


@pytest.mark.parametrize(("hertz", "tick"), [(250, "250 Hz"), (1000, "1 kHz"), (4000, "4 kHz")])
async def test_a_tone_is_bright_where_the_axis_says(open_tab: OpenTab, tmp_path: Path, hertz: int, tick: str) -> None:
    """A sine through the real service is brightest at its frequency on the axis, within a band."""
    tone = 12_000 * np.sin(2 * np.pi * hertz * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(tone.astype("<i2").tobytes())
    async with serving("--input", str(tmp_path / "tone.wav"), "--loop") as service:
        tab = await open_tab(service.url)
        tab.expected = "WebSocket connection"  # the service ends before the page
        page = tab.page
        await page.locator(".spectrogram-plot").scroll_into_view_if_needed()
        await page.wait_for_function(f"() => ({PICTURE})().length >= 100")
        picture = await page.evaluate(PICTURE)
        [box] = [
            await item.bounding_box()
            for item in await page.locator(".spectrogram-hertz li").all()
            if await item.inner_text() == tick
        ]
        plot = await page.locator(".spectrogram-plot").bounding_box()
    assert box is not None
    assert plot is not None
    band = plot["height"] / N_MELS
    # A computer that is busy with other things may lose audio, and what is left of it clicks.
    [(bright, times)] = Counter(column["y"] for column in picture).most_common(1)
    assert times > 0.8 * len(picture)
    assert abs(bright - (box["y"] + box["height"] / 2)) <= band


async def test_each_column_is_drawn_once_in_its_order(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Columns stand from left to right as they came, and each costs one column of pixels and nothing else."""
    screen = await opened(open_tab, publisher)
    await screen.play(60)
    picture = await screen.picture()
    visible = 256  # of a tile, and there are three of them by now
    assert [column["row"] for column in picture] == [number % N_MELS for number in range(60 * BATCH)][-len(picture) :]
    assert len(picture) >= visible
    for one, other in itertools.pairwise(picture):
        assert other["left"] == pytest.approx(one["right"], abs=0.01)
    assert await screen.tab.page.evaluate("counted") == {f"1x{N_MELS}": 60 * BATCH}


async def test_old_tiles_are_used_again(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """However long it runs, the picture is no longer than what can be seen and what is about to be."""
    screen = await opened(open_tab, publisher, viewport={"width": 320, "height": 640})
    await screen.play(30)
    screen.column += 10_000 * N_MELS  # a long while later
    await screen.play(60)
    many = await screen.tab.page.locator(".spectrogram-strip canvas").count()
    await screen.play(60)
    assert await screen.tab.page.locator(".spectrogram-strip canvas").count() == many <= 5
    rows = [column["row"] for column in await screen.picture()]
    assert rows == [(screen.column - len(rows) + number) % N_MELS for number in range(len(rows))]


async def test_nothing_is_asked_for_while_nobody_looks(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Collapsed, out of view or paused, the page does not subscribe to spectra; seen again, it does."""
    screen = await opened(open_tab, publisher, viewport={"width": 320, "height": 640})
    page = screen.tab.page
    switch = page.locator(".spectrogram-switch")

    await switch.click()
    await screen.wants(False)
    assert await switch.get_attribute("aria-expanded") == "false"
    assert not await page.is_visible(".spectrogram-plot")
    await page.reload()  # the choice is kept
    await page.wait_for_selector("#link[data-phase=live]")
    assert not await page.is_visible(".spectrogram-plot")
    await switch.click()
    await screen.wants(True)

    await page.evaluate("() => scrollTo(0, 0)")
    await screen.wants(False)
    await page.locator(".spectrogram-plot").scroll_into_view_if_needed()
    await screen.wants(True)

    await page.evaluate("() => document.activeElement.blur()")
    await page.keyboard.press("Space")
    await screen.wants(False)
    await asks(screen.tab, publisher, "level", False)
    await page.keyboard.press("Space")
    await screen.wants(True)
    await screen.play(3)


@pytest.mark.slow
async def test_a_hidden_tab_asks_for_nothing(publisher: HopPublisher) -> None:
    """A tab behind another one hears labels and no spectra or levels; in front again it goes on with both."""
    async with window() as context:
        tab = Tab(await context.new_page())
        await tab.page.set_viewport_size({"width": 1280, "height": 1400})
        await tab.page.goto(publisher.page)
        screen = Screen(tab, publisher)
        for kind in ("spectrum", "level"):
            await asks(tab, publisher, kind, True)
        other = await context.new_page()
        await other.bring_to_front()
        for kind in ("spectrum", "level"):
            await asks(tab, publisher, kind, False)
        await tab.page.bring_to_front()
        for kind in ("spectrum", "level"):
            await asks(tab, publisher, kind, True)
        await screen.play(2)
        assert tab.complaints == []


async def test_a_gap_is_left_dark(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """What was not heard has its width, and nothing in it."""
    screen = await opened(open_tab, publisher)
    await screen.play(4)
    screen.column += 100
    await screen.play(2)
    picture = await screen.picture()
    assert len(picture) == 6 * BATCH
    width = picture[0]["right"] - picture[0]["left"]
    steps = [other["left"] - one["right"] for one, other in itertools.pairwise(picture)]
    assert max(steps) == pytest.approx(100 * width, abs=0.01)
    assert sum(steps) == pytest.approx(100 * width, abs=0.01)


async def test_a_window_may_follow_a_gap(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """The whole window that comes after a gap lies where it was heard, also between two columns."""
    screen = await opened(open_tab, publisher)
    await screen.play(1)
    screen.column += 200
    shift = 0.49 * HOP_LENGTH / SAMPLE_RATE
    for count in (125, 11, 11, 11):
        screen.column += count
        loud = frames(number % N_MELS for number in range(screen.column - count, screen.column))
        end = (screen.column - 1) * HOP_LENGTH + 1024
        # Times are told to a tenth of a millisecond.
        publisher.stage.server.publish(Spectrum(end / SAMPLE_RATE + shift + 4e-4 * (count == 11), loud))
        await screen.shows((screen.column - 1) % N_MELS)
    rows = [column["row"] for column in await screen.picture()]
    assert rows[BATCH:] == [number % N_MELS for number in range(screen.column - 158, screen.column)]


NONSENSE = [
    None, "loud", {}, [None], [[]], [[0.0] * 128], [[0.0] * 130], ["x" * N_MELS], [[None] * N_MELS], [[[]] * N_MELS],
]  # fmt: skip


async def test_nonsense_does_not_break_it(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Frames that are none are left out, values that are none are silence, and what follows is drawn in its place."""
    broken: asyncio.Queue[object] = asyncio.Queue()
    left = iter(NONSENSE)

    def disturb(message: dict[str, Any]) -> dict[str, Any]:
        if message["type"] == "spectrum" and message["frames"] == frames([5] * BATCH):
            message |= {"frames": next(left)}
            broken.put_nowait(message["frames"])
        return message

    tab = await open_tab()
    await tab.page.route_web_socket("**/ws", lambda socket: forward(socket, disturb))
    await tab.page.goto(publisher.page)
    await tab.page.locator(".spectrogram-plot").scroll_into_view_if_needed()
    screen = Screen(tab, publisher)
    await screen.wants(True)
    for nonsense in NONSENSE:
        first = screen.column
        await screen.play(2)
        screen.publish(frames([5] * BATCH))
        async with asyncio.timeout(PATIENCE):
            assert await broken.get() == nonsense
        await screen.play(2)
        rows = [column["row"] for column in await screen.picture()]
        before, after = (
            [number % N_MELS for number in range(first + batch * BATCH, first + (batch + 2) * BATCH)]
            for batch in (0, 3)
        )
        assert rows[-2 * BATCH :] == after
        rest = rows[: -2 * BATCH]
        between = next(n for n in range(BATCH + 1) if rest[len(rest) - n - 2 * BATCH : len(rest) - n] == before)
        assert 5 not in rest[len(rest) - between :], f"{nonsense} is drawn"


async def test_nothing_old_is_shown_without_a_connection(open_tab: OpenTab) -> None:
    """A lost service puts words over the picture, which stands still; the next service begins a new one."""
    async with staged() as stage:
        publisher = HopPublisher(stage)
        playing = asyncio.create_task(publisher.run())
        screen = await opened(open_tab, publisher)
        await screen.play(4)
        screen.tab.expected = "WebSocket"
        moving = "() => document.querySelector('.spectrogram-strip').getAnimations().length"
        assert await screen.tab.page.evaluate(moving) == 1
        playing.cancel()
    page = screen.tab.page
    await page.wait_for_selector(".spectrogram-veil", state="visible")
    assert await page.inner_text(".spectrogram-veil") == "No connection"
    assert await page.evaluate(moving) == 0
    async with staged(port=stage.port) as stage:
        publisher = HopPublisher(stage)
        playing = asyncio.create_task(publisher.run())
        screen = Screen(screen.tab, publisher)
        await screen.wants(True)
        await page.wait_for_selector(".spectrogram-veil", state="hidden")
        await screen.play(2)
        assert [column["row"] for column in await screen.picture()] == [*range(2 * BATCH)]
        assert await page.evaluate(moving) == 1
        playing.cancel()


@pytest.mark.parametrize(("state", "words"), [("warming", "Listening"), ("silence", None), ("unknown", None)])
async def test_words_stand_where_there_is_no_picture(
    open_tab: OpenTab, publisher: HopPublisher, state: Any, words: str | None
) -> None:
    """While nothing is estimated yet the picture says so; silence and the unknown are pictures like any other."""
    screen = await opened(open_tab, publisher)
    publisher.play(None, 0.0, state)
    await screen.tab.is_in(state)
    await screen.tab.page.wait_for_selector(".spectrogram-veil", state="visible" if words else "hidden")
    if words:
        assert await screen.tab.page.inner_text(".spectrogram-veil") == words


async def test_columns_come_by_the_hop_where_motion_is_not_wanted(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """With prefers-reduced-motion nothing scrolls: the newest column stands at the right edge at once."""
    screen = await opened(open_tab, publisher, reduced_motion="reduce")
    plot = await screen.tab.page.locator(".spectrogram-plot").bounding_box()
    assert plot is not None
    for _ in range(4):
        await screen.play()
        assert (await screen.picture())[-1]["right"] == pytest.approx(plot["x"] + plot["width"], abs=0.01)
    moving = await screen.tab.page.evaluate("() => document.querySelector('.spectrogram-strip').getAnimations().length")
    assert moving == 0


@pytest.mark.parametrize("width", [320, 1280])
async def test_the_window_of_the_model_is_marked(open_tab: OpenTab, publisher: HopPublisher, width: int) -> None:
    """The bracket is as wide as the model's window, by the columns and by the ticks of time."""
    screen = await opened(open_tab, publisher, viewport={"width": width, "height": 900})
    await screen.play()
    page = screen.tab.page
    bracket = await page.locator(".spectrogram-bracket").bounding_box()
    plot = await page.locator(".spectrogram-plot").bounding_box()
    ticks = await page.evaluate("""() => [...document.querySelectorAll('.spectrogram-seconds li')].map((item) =>
        [parseInt(item.textContent.replace('\\u2212', '-')) || 0, parseFloat(item.style.right)])""")
    column = (await screen.picture())[0]
    assert bracket is not None
    assert plot is not None
    assert await page.inner_text(".spectrogram-bracket") == "what the model hears"
    columns = bracket["width"] / (column["right"] - column["left"])
    assert columns == pytest.approx(WINDOW / HOP_LENGTH, abs=0.1)
    assert bracket["x"] + bracket["width"] == pytest.approx(plot["x"] + plot["width"], abs=0.5)
    (_, here), *_, (ago, there) = ticks
    assert here == 0
    assert bracket["width"] == pytest.approx(there * (WINDOW / SAMPLE_RATE) / -ago, abs=0.1)


async def test_the_axis_is_that_of_the_features(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """The page's bands have the centres of those that the model hears."""
    page = (await open_tab(publisher.page)).page
    centres = mel_edges()[1:-1].tolist()
    bands = await page.evaluate("async (hertz) => hertz.map((await import('/mel.js')).band)", centres)
    np.testing.assert_allclose(bands, np.arange(N_MELS), atol=1e-9)


async def test_louder_is_always_lighter(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """The relative luminance of the colour map rises from step to step."""
    page = (await open_tab(publisher.page)).page
    colours = np.array(await page.evaluate("async () => (await import('/colourmap.js')).COLOURMAP")) / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert len(colours) == 256
    assert (np.diff(luminance) > -2e-3).all()
    assert (luminance[8:] > luminance[:-8]).all()
    assert luminance[0] < 0.01 < 0.9 < luminance[-1]


async def test_playing_keeps_a_steady_distance(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """A clock that is off by a thousandth is followed without a jump, and one late batch changes nothing.

    Where all that comes is later than before, it goes back once, and over a long pause it goes forward once.
    """
    page = (await open_tab(publisher.page)).page
    told = await page.evaluate("""async () => {
        const { Playout } = await import('/playout.js');
        const play = (lates, drift = 0) => {
            const playout = new Playout();
            let [head, end, pace, jumps] = [0, 0, 1, 0];
            const surplus = lates.map((late) => {
                end += 11;
                head += 11 * (1 + drift) * pace;
                const told = playout.hear(end - head - late);
                head += told.seek;
                jumps += told.seek !== 0;
                pace = told.pace;
                return end - head;
            });
            return { surplus, jumps, pace };
        };
        const always = (value, count = 2000) => Array(count).fill(value);
        return {
            fast: play(always(0), 0.001),
            slow: play(always(0), -0.001),
            late: play([...always(0, 20), 9, ...always(0, 20)]),
            later: play([...always(0, 20), ...always(20, 20)]),
            skipped: play([...always(0, 20), -100, ...always(-100, 20)]),
        };
    }""")
    for drifting in (told["fast"], told["slow"]):
        assert drifting["jumps"] == 0
        assert max(map(abs, drifting["surplus"])) < 2
    assert set(told["late"]["surplus"]) == {0}
    assert told["later"]["jumps"] == told["skipped"]["jumps"] == 1
    assert abs(told["later"]["surplus"][-1] - 20) < 2
    assert abs(told["skipped"]["surplus"][-1] + 100) < 2
