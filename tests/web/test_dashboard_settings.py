"""The settings of the service on the page: tried, kept in the file, discarded, and who can do so."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pytest
import pytest_asyncio
import soundfile
from websockets.asyncio.client import connect

from stream.recognition.mel import SAMPLE_RATE, Array
from tests.support.browser import OpenTab, Tab
from tests.support.processes import Service, serving
from tests.web.test_dashboard_access import AUDIT, axe

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

TOKEN = "a stage of one's own, 831"
FILE = f"""\
# Tonight.
[server]
token = "{TOKEN}"
control = true

[recognition]
model = "small"
gate = -60   # a quiet hall

[[line]]
name = "Anna"
channels = [1]   # left

[[line]]
name = "Ben"
channels = [2]
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the service's settings."""
    path = tmp_path_factory.mktemp("settings") / "soloist.toml"
    path.write_text(FILE)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def controlled(file: Path, demo: Array) -> AsyncIterator[Service]:
    """A service of two lines that its clients may change."""
    sound = file.with_name("two.wav")
    soundfile.write(sound, np.stack([demo, np.roll(demo, 8 * SAMPLE_RATE)], axis=1), SAMPLE_RATE)
    async with serving("--input", str(sound), "--loop", "--config", str(file), "--hop", "0.3") as service:
        yield service


async def opened(open_tab: OpenTab, service: Service, **options: Any) -> Page:
    """Open the page and its settings."""
    tab: Tab = await open_tab(**options)
    await tab.page.add_init_script(path=axe.AXE_FILE_PATH)
    await tab.page.goto(f"{service.url}#token={quote(TOKEN)}")
    await tab.page.click("#settings-button")
    await tab.page.wait_for_selector(".settings-body:not([hidden])")
    return tab.page


async def says(page: Page, text: str) -> None:
    """Wait until it is told how the settings stand."""
    await page.wait_for_function(
        "text => document.querySelector('.settings-said').textContent.trim() === text", arg=text
    )


def text_of(file: Path) -> str:
    """Return what stands in a file."""
    return file.read_text()


async def test_settings_are_tried_kept_and_discarded(open_tab: OpenTab, controlled: Service, file: Path) -> None:
    """What is typed holds when it is tried, stands in the file when it is kept, and is gone when it is discarded."""
    page = await opened(open_tab, controlled)
    await says(page, "As in soloist.toml")
    assert await page.is_disabled(".settings-try")
    gate, threshold = (page.locator(".settings-recognition").get_by_label(name) for name in ("Gate", "Threshold"))
    anna = page.get_by_role("group", name="Anna")
    assert (await gate.input_value(), await threshold.input_value()) == ("-60", "")
    assert "--hop decides it at the next start" in await page.inner_text(".settings-recognition")
    await gate.fill("-50.5")
    await anna.get_by_label("Gain").fill("6")
    await anna.get_by_label("Only these").check()
    await anna.get_by_label("Piano").check()
    await says(page, "Not tried yet: gate, lines")
    await gate.press("Enter")
    await says(page, "Tried, not kept: gate, lines.")
    assert text_of(file) == FILE
    await page.click(".settings-keep")
    await says(page, "As in soloist.toml")
    kept = FILE.replace("gate = -60 ", "gate = -50.5 ")
    kept = kept.replace("[1]   # left\n", '[1]   # left\ninstruments = ["piano"]\ngain = 6.0\n')
    assert text_of(file) == kept

    await threshold.fill("0.9")
    await page.get_by_role("group", name="Ben").get_by_role("button", name="Remove Ben").click()
    await page.click(".settings-add")
    new = page.get_by_role("group", name="New line")
    await new.get_by_label("Name").fill("Cora & Dan")
    await new.get_by_label("Channels").fill("1-2")
    await page.click(".settings-try")
    await says(page, "Tried, not kept: threshold, lines.")
    legends = page.locator(".line-card > legend")
    assert await legends.all_inner_texts() == ["Anna", "Cora & Dan"]
    await page.wait_for_function(  # and the page shows them
        "() => document.querySelectorAll('.strips > *').length === 2"
        " && document.querySelector('.strips').textContent.includes('Cora & Dan')"
    )
    await page.click(".settings-discard")
    await says(page, "As in soloist.toml")
    assert await legends.all_inner_texts() == ["Anna", "Ben"]
    assert text_of(file) == kept


async def test_what_is_wrong_is_told_and_stays_to_be_mended(open_tab: OpenTab, controlled: Service) -> None:
    """The service's word stands in the dialog, what was typed stays, and what others change is shown beside."""
    page = await opened(open_tab, controlled)
    threshold = page.locator(".settings-recognition").get_by_label("Threshold")
    ben = page.get_by_role("group", name="Ben")
    await threshold.fill("0.7")
    await ben.get_by_label("Name").fill("Anna")
    await page.click(".settings-try")
    failure = page.get_by_role("alert")
    await failure.wait_for()
    assert await failure.inner_text() == 'two lines are called "Anna"; expected a name for each'
    assert await threshold.input_value() == "0.7"
    async with connect(
        f"ws://{controlled.address}/ws", additional_headers={"Authorization": f"Bearer {TOKEN}"}
    ) as other:
        await other.send(json.dumps({"type": "try-settings", "values": {"gate": -44}}))
        await page.wait_for_function(
            "() => document.querySelector('.settings-recognition input[max=\"0\"]').value === '-44'"
        )
        assert await threshold.input_value() == "0.7"
        await ben.get_by_label("Name").fill("Ben")
        await page.click(".settings-try")
        await says(page, "Tried, not kept: gate, threshold.")
        await page.click(".settings-discard")
        await says(page, "As in soloist.toml")


async def test_the_dialog_is_used_with_the_keyboard_alone(open_tab: OpenTab, controlled: Service) -> None:
    """It opens and closes with keys, the focus returns, and the page's own keys do nothing meanwhile."""
    page = await opened(open_tab, controlled)
    await page.keyboard.press("Escape")
    await page.wait_for_function("() => document.activeElement.id === 'settings-button'")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".settings-body:not([hidden])")
    await page.keyboard.press("m")
    assert await page.is_hidden("#session-form")
    reached = set()
    for _ in range(12):
        await page.keyboard.press("Tab")
        reached.add(await page.evaluate("() => document.activeElement.labels?.[0]?.textContent ?? ''"))
    assert {"Model", "Threshold", "Hop, s", "Gate, dBFS", "Name", "Channels"} <= reached


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [(320, 640), (1280, 800)], ids=lambda size: str(size[0]))
async def test_axe_finds_nothing(open_tab: OpenTab, controlled: Service, size: tuple[int, int], scheme: str) -> None:
    """All boxes open, and something wrong: axe has nothing to say, and nothing is wider than the page."""
    viewport = {"width": size[0], "height": size[1]}
    page = await opened(open_tab, controlled, viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    found = await page.evaluate(AUDIT)
    for own in await page.get_by_label("Only these").all():
        await own.check()
    await page.click(".settings-try")
    await page.get_by_role("alert").wait_for()  # no name at all
    found += await page.evaluate(AUDIT)
    assert found == []
    assert await page.evaluate(
        "() => [document.documentElement, document.querySelector('.settings-body')].every("
        "(it) => it.scrollWidth <= it.clientWidth)"
    )


async def test_there_are_no_settings_where_they_cannot_be_chosen(open_tab: OpenTab, service: Service) -> None:
    """A service without the setting control has no button for them."""
    tab = await open_tab(service.url)
    await tab.is_in("instrument", "unknown", "warming", "silence")
    assert await tab.page.is_hidden("#settings-button")
