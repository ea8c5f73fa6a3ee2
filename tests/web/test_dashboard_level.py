"""The dashboard's level meter, and what it says that somebody should mend."""

from __future__ import annotations

import asyncio
import dataclasses
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stream.protocol.messages import Level
from stream.recognition.mel import SAMPLE_RATE
from tests.support.browser import MINUS, NOTHING, PATIENCE, HopPublisher, OpenTab, Tab, forward
from tests.support.processes import Service, serving
from tests.support.serving import STATUS

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOWN = """() => {
    const text = (selector) => document.querySelector(selector).textContent;
    const meter = document.querySelector('.meter');
    return {
        rms: text('[data-figure=rms]'),
        peak: text('[data-figure=peak]'),
        highest: text('[data-figure=highest]'),
        clip: text('.clip'),
        lit: document.querySelector('.clip').dataset.lit,
        words: meter.getAttribute('aria-valuetext'),
        value: Number(meter.getAttribute('aria-valuenow')),
        bar: 1 - new DOMMatrix(getComputedStyle(document.querySelector('.meter-cover')).transform).a,
        marker: !document.querySelector('.meter-peak').hidden
            && (document.querySelector('.meter-peak').getBoundingClientRect().x - meter.getBoundingClientRect().x)
                / meter.getBoundingClientRect().width,
    };
}"""
"""Reads the meter in one go: figures, words, and how far bar and marker stand along the scale."""

TONE = 0.25 * np.cos(2 * np.pi * 441 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
"""A second of a tone with its peaks at -12 dBFS; it can be looped."""


@asynccontextmanager
async def sounding(folder: Path, samples: npt.NDArray[np.float64]) -> AsyncIterator[Service]:
    """Run the service with these samples, over and over."""
    with wave.open(str(folder / "input.wav"), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((32767 * samples.clip(-1, 1)).round().astype("<i2").tobytes())
    async with serving("--input", str(folder / "input.wav"), "--loop") as service:
        yield service


async def opened(open_tab: OpenTab, service: Service) -> Tab:
    """Open the page of a service that may end before it."""
    tab = await open_tab(service.url)
    tab.expected = "WebSocket connection"
    return tab


async def shown(tab: Tab, condition: str = "true") -> dict[str, Any]:
    """Return what the meter shows once it fulfils a condition."""
    handle = await tab.page.wait_for_function(f"() => {{ const it = ({SHOWN})(); return ({condition}) && it; }}")
    meter: dict[str, Any] = await handle.json_value()
    return meter


async def warned(tab: Tab, *parts: str, seconds: float = PATIENCE) -> list[str]:
    """Wait for as many warnings as there are parts, and see that each has its part."""
    await tab.page.wait_for_function(
        f"() => document.querySelectorAll('#warning > *').length === {len(parts)}", timeout=1000 * seconds
    )
    texts = await tab.page.locator("#warning > *").all_inner_texts()
    assert [part in text for part, text in zip(parts, texts, strict=True)] == [True] * len(parts), texts
    return texts


async def test_a_tone_stands_at_its_level(open_tab: OpenTab, tmp_path: Path) -> None:
    """A tone of known level through the real service has that RMS and that peak, in bar, marker, figures and words."""
    async with sounding(tmp_path, TONE) as service:
        meter = await shown(await opened(open_tab, service), "it.rms.endsWith('dBFS')")
    rms = meter["rms"].removesuffix(" dBFS")
    assert float(rms.replace(MINUS, "-")) == pytest.approx(-12.04 - 3.01, abs=0.1)  # of 50 ms, not of whole periods
    assert meter["peak"] == meter["highest"] == f"{MINUS}12.0 dBFS"
    assert meter["words"] == f"RMS {rms} dBFS, peak {MINUS}12.0 dBFS"
    assert meter["value"] == -15
    assert meter["bar"] == pytest.approx(1 - 15.05 / 60, abs=0.005)
    assert meter["marker"] == pytest.approx(1 - 12 / 60, abs=0.01)  # it has a width, and stays within the bar
    assert meter["clip"] == "No clipping"
    assert meter["lit"] == "false"


async def test_the_scale_is_that_of_the_bar(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Each figure of the scale stands where its level is."""
    page = (await open_tab(publisher.page)).page
    places = await page.evaluate("""() => [...document.querySelectorAll('.scale li')].map((item) =>
        [Number(item.textContent.replace('\\u2212', '-')), parseFloat(item.style.left)])""")
    assert len(places) >= 5
    assert [place for _, place in places] == [pytest.approx(100 * (1 + level / 60)) for level, _ in places]


async def test_clipping_is_told_with_what_to_do(open_tab: OpenTab, tmp_path: Path) -> None:
    """An input at full scale lights the light and says what that means for a recording, and to turn the gain down."""
    async with sounding(tmp_path, 8 * TONE) as service:
        tab = await opened(open_tab, service)
        meter = await shown(tab, "it.lit === 'true'")
        assert meter["clip"] == "Clipping"
        assert meter["highest"] in ("0.0 dBFS", f"{MINUS}0.0 dBFS")
        (text,) = await warned(tab, "full scale")
        assert text == (
            "The input is at full scale: the recording may be clipped; where it is live, turn the gain down"
        )


async def test_an_offset_is_told_with_what_to_do(open_tab: OpenTab, tmp_path: Path) -> None:
    """An input that is off centre names the offset and where to look for it."""
    async with sounding(tmp_path, TONE + 0.2) as service:
        (text,) = await warned(await opened(open_tab, service), "DC offset")
    assert "check the cable" in text


async def test_a_silent_input_is_told_with_what_to_do(open_tab: OpenTab, tmp_path: Path) -> None:
    """An input without any sound stands at nothing, and after half a minute the page says what to check."""
    async with sounding(tmp_path, 0 * TONE) as service:
        tab = await opened(open_tab, service)
        meter = await shown(tab, "it.rms.endsWith('dBFS')")
        assert meter["rms"] == meter["peak"] == f"{MINUS}∞ dBFS"
        assert meter["words"] == f"RMS {MINUS}∞ dBFS, peak {MINUS}∞ dBFS"
        assert (meter["bar"], meter["marker"], meter["value"]) == (0, False, -60)
        (text,) = await warned(tab, "30 s", seconds=30 + PATIENCE)
        assert "check the cable" in text


async def test_the_light_holds_and_tells_when_it_was(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """After full scale the light stays lit for a while, then tells how long ago it was and how often, until reset."""
    tab = await open_tab(publisher.page)
    loud, soft = (Level(1.0, -12.0, peak, clipped=peak == 0) for peak in (0.0, -9.0))

    async def hear(level: Level, condition: str) -> dict[str, Any]:
        """Publish a level as often as the service does until the page shows it."""
        seen = asyncio.create_task(shown(tab, condition))
        while not seen.done():
            publisher.stage.server.publish(level)
            await asyncio.wait({seen}, timeout=0.05)
        return await seen

    await tab.page.wait_for_selector("#link[data-phase=live]")
    await hear(soft, "it.clip === 'No clipping'")
    assert (await hear(loud, "it.lit === 'true'"))["clip"] == "Clipping"
    held = await hear(soft, "it.lit === 'held'")
    assert held["clip"].startswith("Clipped ")
    assert held["clip"].endswith(" s ago")
    await hear(loud, "it.lit === 'true'")
    twice = await hear(soft, "it.lit === 'held'")
    assert twice["clip"].endswith(" s ago, 2 times")
    assert twice["highest"] in ("0.0 dBFS", f"{MINUS}0.0 dBFS")
    await tab.page.click(".level-reset")
    reset = await hear(soft, "it.lit === 'false' && it.highest.endsWith('9.0 dBFS')")  # nothing, until a level comes
    assert (reset["clip"], reset["highest"]) == ("No clipping", f"{MINUS}9.0 dBFS")


async def test_a_peak_is_held_and_then_falls(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """A peak that has passed stands for a second and a half, falls by 20 dB in a second, and stops at what is heard."""
    page = (await open_tab(publisher.page)).page
    told = await page.evaluate("""async () => {
        const { Peaks } = await import('/peaks.js');
        const peaks = new Peaks();
        const hear = (peak, now) => peaks.hear({ type: 'level', time: 0, rms: -30, peak, clipped: false }, now);
        hear(-6, 0);
        const at = [];
        for (let now = 50; now <= 3000; now += 50) {
            hear(-20, now);
            if (now % 500 === 0) at.push(Math.round(10 * peaks.at(now).peak) / 10);
        }
        hear(-3, 3050);
        return [...at, peaks.at(3050).peak, peaks.at(3050).highest, peaks.at(4100)];
    }""")
    assert told == [-6, -6, -6, -16, -20, -20, -3, -3, None]


async def test_nothing_stands_where_nothing_is_told(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Levels that cease leave an empty meter, not the last one."""
    quiet = asyncio.Event()

    def hush(message: dict[str, Any]) -> dict[str, Any] | None:
        return None if message["type"] == "level" and quiet.is_set() else message

    tab = await open_tab()
    await tab.page.route_web_socket("**/ws", lambda socket: forward(socket, hush))
    await tab.page.goto(publisher.page)

    async def sound() -> None:
        while True:
            publisher.stage.server.publish(Level(1.0, -12.0, -3.0, clipped=False))
            await asyncio.sleep(0.05)

    sounding = asyncio.create_task(sound())
    await shown(tab, "it.bar > 0.5")
    quiet.set()
    meter = await shown(tab, "it.bar === 0")
    sounding.cancel()
    assert (meter["rms"], meter["peak"], meter["highest"], meter["clip"]) == (NOTHING,) * 4
    assert (meter["marker"], meter["words"], meter["value"]) == (False, "no level", -60)


async def test_each_warning_is_a_line_of_its_own(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """Message and warnings stand one below the other, none of them twice; what stays is left untouched."""
    tab = await open_tab(publisher.page)
    gain, cable, gone = "the input is at full scale: turn the gain down", "hum: check the cable", "no input: plug it in"

    def tell(message: str | None, *warnings: str) -> None:
        publisher.stage.server.publish(dataclasses.replace(STATUS, message=message, warnings=warnings))

    tell(gain, gain, cable)
    texts = await warned(tab, "full scale", "Hum")
    assert texts == ["The input is at full scale: turn the gain down", "Hum: check the cable"]
    await tab.page.evaluate("() => { globalThis.kept = document.querySelector('#warning > :last-child'); }")
    tell(gone, cable, cable)
    await tab.page.wait_for_function("() => document.querySelector('#warning > *').textContent.startsWith('No input')")
    assert await warned(tab, "No input", "Hum") == ["No input: plug it in", "Hum: check the cable"]
    assert await tab.page.evaluate("() => kept === document.querySelector('#warning > :last-child')")
    tell(None)
    await warned(tab)
    assert (await tab.page.inner_text("#warning")) == ""


async def test_warnings_that_are_none_are_passed_over(open_tab: OpenTab, publisher: HopPublisher) -> None:
    """A server that knows no warnings, or tells nonsense, is still heard: its message stands alone."""
    nonsense: object = "absent"

    def change(message: dict[str, Any]) -> dict[str, Any]:
        if message["type"] == "status":
            message |= {"warnings": nonsense}
            if nonsense == "absent":
                del message["warnings"]
        return message

    tab = await open_tab()
    await tab.page.route_web_socket("**/ws", lambda socket: forward(socket, change))
    await tab.page.goto(publisher.page)
    await tab.page.wait_for_selector("#link[data-phase=live]")
    for number, warnings in enumerate((None, "loud", {"a": 1}, [None, 3, ""], ["  "], "absent")):
        nonsense = warnings
        publisher.stage.server.publish(dataclasses.replace(STATUS, message=f"plug in cable {number}"))
        await tab.page.get_by_text(f"Plug in cable {number}").wait_for()
        assert await warned(tab, "Plug in cable") == [f"Plug in cable {number}"]
