"""The line check on the page: a tile for each line, started and stopped there, and read from the stage."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import soundfile

from stream.errors import ProtocolError
from stream.protocol.check import ChannelWarning, Check, CheckedChannel, CheckedLine, HeardElsewhere
from stream.protocol.control import CheckLines, ControlRequest, StopChecking
from stream.protocol.messages import LineInfo, Message
from stream.recognition.mel import SAMPLE_RATE, Array
from tests.support.browser import OpenTab
from tests.support.processes import Service
from tests.support.serving import HELLO, INSTRUMENTS, Stage, staged
from tests.support.stage import eight_channels
from tests.web.test_dashboard_access import AUDIT, axe

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "a stage of one's own, 831"
TILES = """() => [...document.querySelectorAll('.check-tile')].map((tile) => [tile.dataset.colour,
    ...['word', 'name', 'channel', 'text'].map((part) => {
        const it = tile.querySelector(`.check-${part}`);
        return it.checkVisibility() ? it.textContent : '';
    })])"""
CUT = """() => [...document.querySelectorAll('.check-tile, .check-head *, .check-note')].flatMap((it) => {
    const { left, right, width } = it.getBoundingClientRect();
    const isCut = width > 0 && (left < 0 || right > innerWidth || it.scrollHeight > it.clientHeight + 1);
    return isCut && !it.matches('button, form') ? [`${it.className}: ${left} to ${right}, ${it.scrollHeight}`] : [];
})"""

ANNA = CheckedLine("Anna", [1], ["violin"], "green", 8.0, "violin", -18.0, [], None, [], "heard")
BEN = CheckedLine(
    *("<b>Ben</b>", [2], ["trumpet"], "amber", 0.0, "flute", -21.0),
    *([HeardElsewhere("trumpet", [7])], "flute", [], "the trumpet is on 7; on 2 there is a flute"),
)
KEYS = CheckedLine("Keys", [3, 4], ["piano"], "waiting", 1.5, "silence", -90.0, [], None, [], "not yet")
DORA = CheckedLine(
    "Dora", [9], [], "missing", 0.0, None, None, [], None, [9], "the plan has channel 9; the device has 8"
)
WARNED = [
    CheckedChannel(1, -3.0, [ChannelWarning("clipped", "was clipped 12 times: turn the gain down")]),
    CheckedChannel(3, -30.0, [ChannelWarning("hum", "hums at 50 Hz")]),
    CheckedChannel(8, -30.0, [ChannelWarning("copy", "carries the same as channel 2")]),
]
FOUR = Check(12.0, "running", 12.0, 0.0, False, [ANNA, BEN, KEYS, DORA], WARNED, None)


class CheckedStage:
    """A server with lines that clients may check; what they asked, and what they are told."""

    def __init__(self, stage: Stage) -> None:
        self.page = f"http://{stage.address}/"
        self.asked: list[ControlRequest] = []
        self.refusal: str | None = None
        self._server = stage.server
        self._server._control = self._take

    def greet(self, *lines: CheckedLine, control: bool = True, run: str = HELLO.run) -> None:
        """Tell which lines there are."""
        self._server.state.lines = [line.name for line in lines]
        told = [LineInfo(line.name, line.channels, INSTRUMENTS[:4]) for line in lines]
        self._server.publish(replace(HELLO, lines=told, control=control, run=run))

    def tell(self, check: Check) -> None:
        """Tell how it is."""
        self._server.publish(check)

    async def _take(self, request: ControlRequest) -> Sequence[Message]:
        self.asked.append(request)
        if self.refusal is not None:
            raise ProtocolError("not-possible", self.refusal)
        return []


@pytest_asyncio.fixture(loop_scope="module")
async def stage(exit_stack: AsyncExitStack) -> CheckedStage:
    """One with four lines."""
    stage = CheckedStage(await exit_stack.enter_async_context(staged(control=True)))
    stage.greet(ANNA, BEN, KEYS, DORA)
    return stage


async def tiles(page: Page, *wanted: list[str]) -> None:
    """Wait for the tiles to say this."""
    await page.wait_for_function(f"wanted => JSON.stringify(({TILES})()) === JSON.stringify(wanted)", arg=[*wanted])


async def opened(open_tab: OpenTab, stage: CheckedStage, **options: Any) -> Page:
    """Open the page, and the check in it."""
    page = (await open_tab(stage.page, **options)).page
    await page.get_by_role("button", name="Line check").click()
    await page.wait_for_selector("#check[open] .check-tile")
    return page


async def told(page: Page, stage: CheckedStage, check: Check, sum_: str) -> None:
    """Tell the page how it is until it says so: it may not have subscribed yet."""
    for _ in range(100):
        stage.tell(check)
        if await page.locator(".check-sum").inner_text() == sum_:
            return
        await page.wait_for_timeout(50)
    raise AssertionError(f"the page never said {sum_}")


async def test_lines_are_checked_from_the_page(open_tab: OpenTab, stage: CheckedStage) -> None:
    """Colour, shape, word and sentence of each line, and what is wrong with its channels; start, stop, again."""
    page = await opened(open_tab, stage)
    await tiles(
        page,
        ["none", "Not yet", "Anna", "Channel 1", ""],
        ["none", "Not yet", "<b>Ben</b>", "Channel 2", ""],
        ["none", "Not yet", "Keys", "Channels 3+4", ""],
        ["none", "Not yet", "Dora", "Channel 9", ""],
    )
    start, stop = page.locator(".check-start"), page.get_by_role("button", name="Stop", exact=True)
    assert (await start.inner_text(), await stop.is_visible()) == ("Start", False)
    await start.click()
    await page.wait_for_function("() => document.querySelector('.check-start').disabled")
    await told(page, stage, FOUR, "1 of 4 OK · 1 wrong · 1 missing · 1 waiting")
    assert stage.asked == [CheckLines()]
    await tiles(
        page,
        ["green", "OK", "Anna", "Channel 1", ""],
        ["amber", "Wrong", "<b>Ben</b>", "Channel 2", "The trumpet is on 7; on 2 there is a flute"],
        ["waiting", "Hearing", "Keys", "Channels 3+4", ""],
        ["missing", "Missing", "Dora", "Channel 9", "The plan has channel 9; the device has 8"],
    )
    shapes = await page.eval_on_selector_all(
        ".check-mark path:last-child", "all => all.map((it) => it.getAttribute('d'))"
    )
    assert len({*shapes}) == 4
    assert await page.locator(".check-warning").all_inner_texts() == [
        "Was clipped 12 times: turn the gain down",
        "Channel 3 hums at 50 Hz",
        "Channel 8 carries the same as channel 2",
    ]
    fill = page.locator(".check-fill").nth(2)
    assert await fill.evaluate("it => it.style.transform") == "scaleX(0.5)"
    assert await page.locator(".check-heard").all_inner_texts() == ["Violin", "Flute", "Silence", ""]
    await stop.click()
    await told(page, stage, replace(FOUR, state="ended"), "1 of 4 OK · 1 wrong · 1 missing · 1 waiting")
    await page.get_by_text("Stopped. What is shown was found before.").wait_for()
    assert not await stop.is_visible()
    assert await start.evaluate("it => it === document.activeElement")
    assert await start.inner_text() == "Again"
    await start.press("Enter")
    green = replace(FOUR, green=True, lines=[replace(it, colour="green") for it in FOUR.lines])
    await told(page, stage, green, "All 4 OK")
    assert stage.asked == [CheckLines(), StopChecking(), CheckLines()]
    await page.keyboard.press("Escape")
    await page.wait_for_selector("#check", state="hidden")
    assert await page.get_by_role("button", name="Line check").evaluate("it => it === document.activeElement")


async def test_why_it_cannot_be_or_has_ended_is_told(open_tab: OpenTab, stage: CheckedStage) -> None:
    """What the service says, in words; and that the machine is too busy."""
    page = await opened(open_tab, stage)
    stage.refusal = "the lines are those of the source, which is not there yet"
    await page.locator(".check-start").click()
    await page.get_by_text("The lines are those of the source, which is not there yet.").wait_for()
    stage.refusal = None
    await page.locator(".check-start").click()
    await told(page, stage, replace(FOUR, missed=4.0), "1 of 4 OK · 1 wrong · 1 missing · 1 waiting")
    await page.get_by_text("The machine is too busy: 4 s were not checked.").wait_for()
    ended = replace(FOUR, state="ended", message="nobody looked at it for 60 s")
    await told(page, stage, ended, "1 of 4 OK · 1 wrong · 1 missing · 1 waiting")
    await page.get_by_text("It has ended: nobody looked at it for 60 s.").wait_for()
    stage.greet(ANNA, run="another")
    await page.wait_for_selector(".check-tile:only-child[data-colour=none]")


async def test_only_who_may_change_the_service_finds_it(open_tab: OpenTab, stage: CheckedStage) -> None:
    """And only where there are lines; it comes and goes with what the service says."""
    page = (await open_tab(stage.page)).page
    button = page.get_by_role("button", name="Line check")
    await button.wait_for()
    stage.greet(ANNA, BEN, control=False)
    await button.wait_for(state="hidden")
    stage.greet(ANNA, BEN)
    await button.wait_for()
    stage.greet()
    await button.wait_for(state="hidden")


def many(count: int) -> Check:
    """Return a check of so many lines, with the longest words."""
    lines = [
        replace(line, name=f"{line.name} {'of the front row ' * (number % 3)}{number}", channels=[number + 1])
        for number in range(count)
        for line in [(ANNA, BEN, KEYS, DORA)[number % 4]]
    ]
    return replace(FOUR, lines=lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "scheme"), [((1280, 720), "dark"), ((390, 844), "light"), ((320, 568), "dark")], ids=["1280", "390", "320"]
)
async def test_any_number_of_lines_can_be_read_by_everybody(
    open_tab: OpenTab, stage: CheckedStage, size: tuple[int, int], scheme: str
) -> None:
    """With 1, 8, 32 and 64 lines nothing is cut off, and axe finds nothing; 32 green ones fit on a laptop."""
    options: dict[str, Any] = {
        "viewport": {"width": size[0], "height": size[1]},
        "color_scheme": scheme,
        "reduced_motion": "reduce",
    }
    tab = await open_tab(**options)
    page = tab.page
    await page.add_init_script(path=axe.AXE_FILE_PATH)
    await page.goto(stage.page)
    await page.get_by_role("button", name="Line check").click()
    for count in (1, 8, 32, 64):
        check = many(count)
        green = sum(line.colour == "green" for line in check.lines)
        stage.tell(check)
        await page.wait_for_function(
            "async ([count]) => document.querySelectorAll('.check-tile').length === count", arg=[count]
        )
        await page.evaluate("() => new Promise(requestAnimationFrame)")
        assert await page.evaluate(CUT) == [], (count, green)
        if count == 8:  # where there is all that a tile may say
            assert await page.evaluate(AUDIT) == []
    lines = [replace(ANNA, name=f"Anna {it}", channels=[it]) for it in range(1, 33)]
    await told(page, stage, replace(FOUR, lines=lines, channels=[], green=True), "All 32 OK")
    high = await page.locator("#check").evaluate("it => it.scrollHeight - it.clientHeight")
    assert high <= 0 or size[0] < 1000


@pytest.mark.slow
async def test_a_running_service_is_checked(
    open_tab: OpenTab,
    serve: Callable[..., Awaitable[Service]],
    tmp_path: Path,
    demo: Array,
    score: list[dict[str, Any]],
) -> None:
    """With the program and a stage on which two are swapped, the page says who is where."""
    sound = tmp_path / "stage.wav"
    soundfile.write(sound, eight_channels(demo, score)[:, [0, 1, 3, 5]], SAMPLE_RATE)
    lines = ["Anna=1:violin", "Ben=2:trumpet", "Keys=3:piano"]
    named = [it for line in lines for it in ("--line", line)]
    service = await serve("--input", str(sound), "--loop", "--control", "--token", TOKEN, *named)
    page = (await open_tab(f"{service.url}#token={TOKEN}")).page
    await page.get_by_role("button", name="Line check").click()
    await page.locator(".check-start").click()
    await tiles(
        page,
        ["amber", "Wrong", "Anna", "Channel 1", "The violin is on 2; on 1 there is a trumpet"],
        ["amber", "Wrong", "Ben", "Channel 2", "The trumpet is on 1; on 2 there is a violin"],
        ["green", "OK", "Keys", "Channel 3", ""],
    )
    await page.get_by_text("Channel 4 hums at 50 Hz").wait_for()
    await page.get_by_role("button", name="Stop", exact=True).click()
    await page.get_by_text("Stopped.").wait_for()
