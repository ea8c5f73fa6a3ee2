"""``python -m tools.make_pictures`` makes the pictures in docs/: dashboard, lines, check, phone, session and overlay.

A service of its own plays the demo once from beginning to end, in real time, and headless Chromium shows its page.
Then another one plays its solos on a channel each, again and again, for the picture of lines, and one that has mistakes
for that of their check. Look at the pictures before you commit them: what they show depends on the moment.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import tempfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import soundfile

from stream.bench.demo_audio import demo_audio
from stream.recognition.mel import SAMPLE_RATE
from tests.support.browser import CHROMIUM, FLAGS
from tests.support.processes import Service, serving

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

DOCS: Final = Path(__file__).parents[1] / "docs"
PHONE: Final = {"width": 390, "height": 776}
MARKS: Final = {20.0: "first verse", 45.0: "bridge"}
"""Marks set on the page: seconds after the start, and what is typed."""
PHONES: Final = 58.0
"""When those of the phone and the overlay are taken, while an instrument is in front."""
END: Final = 75.0
"""When the large pictures are taken; the demo lasts 79 s."""
BAND: Final = ["Vera", "Anna", "Flo", "Gil", "Ben", "Clara", "Dan", "Spare"]
"""Who plays the solos of the demo, in their order; nobody is on the last line."""
CHECKED: Final = 20.0
"""When the picture of the check is taken, in seconds."""
HEARD: Final = 63.0
"""When the picture of lines is taken: their strips show a minute."""
PICTURE_TOKEN: Final = "only for the picture, 4471"
FRAME: Final = """<style>
    body { margin: 0; display: flex; gap: 16px; padding: 8px; background: transparent; width: max-content }
    img { display: block; border: 4px solid #555; border-radius: 24px }
</style>"""


async def take(folder: Path) -> None:
    """Make all of them, in a folder."""
    from playwright.async_api import async_playwright  # here, so that --help needs no browser's library

    async with async_playwright() as driver, serving("--input", "demo") as service:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        began = asyncio.get_running_loop().time()

        async def reach(seconds: float) -> None:
            await asyncio.sleep(max(began + seconds - asyncio.get_running_loop().time(), 0))

        wide = await open_page(browser, service, width=1760, height=1064, scheme="dark")
        await wide.get_by_role("button", name="Start take").click()
        for seconds, text in MARKS.items():
            await reach(seconds)
            await wide.keyboard.press("m")
            await wide.keyboard.type(text)
            await wide.keyboard.press("Enter")
        phones = [await open_page(browser, service, **PHONE, scheme=scheme) for scheme in ("dark", "light", "dark")]
        overlay = await open_page(browser, service, width=1000, height=160, path="overlay?align=left&valign=bottom")
        await reach(PHONES)
        await overlay.wait_for_function("document.querySelector('#overlay').innerText.trim()")
        await overlay.evaluate("document.body.style.background = 'linear-gradient(100deg, #35506b, #9a7b4f)'")
        await overlay.screenshot(path=folder / "overlay.png")
        pictures = [await phone.screenshot() for phone in phones[:2]]
        await reach(END)
        await wide.screenshot(path=folder / "dashboard.png")
        await wide.get_by_role("button", name="Stop", exact=True).click()
        await wide.wait_for_timeout(500)
        await wide.locator("#timeline").screenshot(path=folder / "session.png")
        await service.kill()
        await phones[2].wait_for_selector("#now[data-kind=offline]")
        await phones[2].wait_for_timeout(1500)  # until what moves has come to rest
        pictures.append(await phones[2].screenshot())
        await join(browser, pictures, folder / "phone.png")
        await browser.close()


async def take_lines(folder: Path) -> None:
    """Make the picture of a service with a line for each of a band."""
    from playwright.async_api import async_playwright

    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "a desk with 8 channels.wav"
        soundfile.write(path, band(HEARD + 20), SAMPLE_RATE)
        lines = [it for number, name in enumerate(BAND, 1) for it in ("--line", f"{name}={number}")]
        async with async_playwright() as driver, serving("--input", str(path), *lines) as service:
            browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = await open_page(browser, service, width=1280, height=646, scheme="dark")
            await asyncio.sleep(HEARD)
            await page.wait_for_selector("#now[data-kind=instrument]")
            await page.screenshot(path=folder / "lines.png")
            await browser.close()


async def take_check(folder: Path) -> None:
    """Make the picture of a check: two players are swapped, one hums, and nobody is on the last line."""
    from playwright.async_api import async_playwright

    told = json.loads((resources.files("stream") / "demo.json").read_text(encoding="utf-8"))
    solos = [it["label"] for it in told["segments"] if it["label"] not in ("unknown", "silence")]
    audio = band(CHECKED + 20)
    audio[:, [1, 2]] = audio[:, [2, 1]]
    audio[:, 4] += 0.01 * np.sin(2 * np.pi * 50 * np.arange(len(audio)) / SAMPLE_RATE)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "a desk with 8 channels.wav"
        soundfile.write(path, audio, SAMPLE_RATE)
        plan = zip(BAND, [*solos, "female singer"], strict=True)
        lines = [it for number, (name, solo) in enumerate(plan, 1) for it in ("--line", f"{name}={number}:{solo}")]
        allowed = ("--control", "--token", PICTURE_TOKEN)
        async with async_playwright() as driver, serving("--input", str(path), "--loop", *lines, *allowed) as service:
            browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            address = f"#token={PICTURE_TOKEN}"
            page = await open_page(browser, service, width=1280, height=646, scheme="dark", path=address)
            await page.get_by_role("button", name="Line check").click()
            await page.locator(".check-start").click()
            await asyncio.sleep(CHECKED)
            await page.screenshot(path=folder / "check.png")
            await browser.close()


async def take_settings(folder: Path) -> None:
    """Make the picture of the settings of a service with two lines, of which some are tried."""
    from playwright.async_api import async_playwright

    token = "a picture needs no secret"
    with tempfile.TemporaryDirectory() as temporary:
        sound, file = Path(temporary) / "a desk.wav", Path(temporary) / "soloist.toml"
        soundfile.write(sound, band(HEARD)[:, :2], SAMPLE_RATE)
        lines = "".join(f'[[line]]\nname = "{name}"\nchannels = [{it}]\n' for it, name in enumerate(BAND[:2], 1))
        file.write_text(f'[server]\ntoken = "{token}"\ncontrol = true\n{lines}')
        arguments = ("--input", str(sound), "--loop", "--config", str(file))
        async with async_playwright() as driver, serving(*arguments) as service:
            browser = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = await open_page(
                browser, service, width=1280, height=860, scheme="dark", path=f"#token={token.replace(' ', '%20')}"
            )
            await page.click("#settings-button")
            await page.locator(".settings-recognition").get_by_label("Gate").fill("-50")
            await page.click(".settings-try")
            await page.get_by_text("Tried, not kept").wait_for()
            await page.wait_for_timeout(4000)  # until each line shows its level
            await page.locator("#settings").screenshot(path=folder / "settings.png")
            await browser.close()


def band(seconds: float) -> np.ndarray:
    """Put each solo of the demo on a channel of its own, with a rest after it, and the next one louder each time."""
    told = json.loads((resources.files("stream") / "demo.json").read_text(encoding="utf-8"))
    solos = [it for it in told["segments"] if it["label"] not in ("unknown", "silence")]
    demo, channels = demo_audio(), np.zeros((round(seconds * SAMPLE_RATE), len(BAND)), np.float32)
    for channel, solo in enumerate(solos):
        played = demo[round(solo["start"] * SAMPLE_RATE) : round(solo["end"] * SAMPLE_RATE)]
        step = len(played) + (2 + 2 * (channel % 4)) * SAMPLE_RATE
        for number, start in enumerate(range(channel * SAMPLE_RATE, len(channels) - len(played), step)):
            channels[start : start + len(played), channel] = played * (0.2 if (number + channel) % 4 else 0.9)
    return channels


async def open_page(
    browser: Browser, service: Service, *, width: int, height: int, scheme: str | None = None, path: str = ""
) -> Page:
    """Show a page of the service."""
    page = await browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    await page.goto(service.url + path)
    return page


async def join(browser: Browser, pictures: list[bytes], path: Path) -> None:
    """Put pictures beside one another into one."""
    images = (f'<img src="data:image/png;base64,{base64.b64encode(it).decode()}">' for it in pictures)
    page = await browser.new_page(viewport={"width": 1260, "height": 800})
    await page.set_content(FRAME + "".join(images))
    await page.locator("body").screenshot(path=path, omit_background=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DOCS, metavar="FOLDER", help="where to (default: docs/)")
    out = parser.parse_args().out
    asyncio.run(take(out))
    asyncio.run(take_lines(out))
    asyncio.run(take_check(out))
    asyncio.run(take_settings(out))
