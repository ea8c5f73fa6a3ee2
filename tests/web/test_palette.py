"""The colours of instruments are told apart, by the colour-blind too, as far as colours can; each has a family."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from train.datasets.labels import ALL_LABELS, INSTRUMENTS

WEB = Path(__file__).parents[2] / "web"
COLOURS = {
    name: np.array([int(digits[at : at + 2], 16) for at in (0, 2, 4)]) / 255
    for name, digits in re.findall(r'\["([^"]+)", "#([0-9a-f]{6})"\]', (WEB / "palette.js").read_text(encoding="utf-8"))
}
SPARE = [
    np.array([int(digits[at : at + 2], 16) for at in (0, 2, 4)]) / 255
    for listed in re.findall(r"const SPARE = \[(.*?)\]", (WEB / "palette.js").read_text(encoding="utf-8"), re.DOTALL)
    for digits in re.findall(r'"#([0-9a-f]{6})"', listed)
]
"""For names that the page does not know."""
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
"""What somebody sees of linear RGB: Machado, Oliveira and Fernandes 2009, severity 1."""
LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
LAB = [
    [0.2104542553, 0.793617785, -0.0040720468],
    [1.9779984951, -2.428592205, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.808675766],
]
"""From linear RGB to OKLab: bottosson.github.io/posts/oklab."""


def linear(colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return linear RGB of sRGB in [0, 1]."""
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def seen(colour: NDArray[np.float64], vision: str) -> NDArray[np.float64]:
    """Return the OKLab coordinates of a colour, as somebody sees it."""
    light = np.clip(np.asarray(VISIONS[vision]) @ linear(colour), 0, 1)
    return np.asarray(np.asarray(LAB) @ np.cbrt(np.asarray(LMS) @ light))


def nearest(names: tuple[str, ...], vision: str) -> tuple[float, str, str]:
    """Return the two whose colours are nearest, and how far from each other."""
    points = {name: seen(COLOURS[name], vision) for name in names}
    return min((float(np.linalg.norm(points[a] - points[b])), a, b) for a, b in itertools.combinations(names, 2))


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_are_told_apart(vision: str) -> None:
    """The eight are 0.1 apart in OKLab whoever looks; of all, where colours alone cannot do, two are not the same."""
    assert nearest(INSTRUMENTS, vision) >= (0.1,)
    assert nearest(ALL_LABELS, vision) >= (0.07 if vision == "normal" else 0.043,)


@pytest.mark.parametrize("vision", VISIONS)
def test_taught_names_have_other_colours(vision: str) -> None:
    """There are 16, each far from the eight, and not that of another label or name, as far as there is room."""
    spare = [seen(it, vision) for it in SPARE]
    known = {name: seen(colour, vision) for name, colour in COLOURS.items()}
    assert len(spare) == 16
    for number, one in enumerate(spare):
        assert min(np.linalg.norm(one - known[name]) for name in INSTRUMENTS) >= (
            0.069 if vision == "normal" else 0.045
        )
        others = [*known.values(), *spare[:number]]
        assert min(np.linalg.norm(one - it) for it in others) >= (0.055 if vision == "normal" else 0.034)


def contrast(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the contrast of two colours, as WCAG defines it."""
    low, high = sorted(float(linear(it) @ [0.2126, 0.7152, 0.0722]) for it in (one, other))
    return (high + 0.05) / (low + 0.05)


def ground(name: str) -> list[NDArray[np.float64]]:
    """Return a colour of the style sheet, in the dark and the light theme."""
    sheet = (WEB / "styles" / "base.css").read_text(encoding="utf-8")
    found = re.findall(rf"--{name}: #([0-9a-f]{{6}})", sheet)
    return [np.array([int(digits[at : at + 2], 16) for at in (0, 2, 4)]) / 255 for digits in found]


@pytest.mark.parametrize("name", ["track", "panel"])
def test_colours_stand_out_on_both_grounds(name: str) -> None:
    """On the dark ground each colour has a contrast of 3, on the light one it or its dark edge has."""
    dark, light = ground(name)
    edge = 1 - 0.55  # what --edge leaves of a colour
    colours = COLOURS | {str(number): colour for number, colour in enumerate(SPARE)}
    weak = [it for it, colour in colours.items() if contrast(colour, dark) < 3]
    pale = [it for it, colour in colours.items() if max(contrast(colour, light), contrast(edge * colour, light)) < 3]
    assert weak + pale == []


def test_every_label_has_a_colour_and_a_family() -> None:
    """Palette and families name the labels of our models, each of them once."""
    families = re.findall(r'\["\w+", (\[[^\]]*\])\]', (WEB / "families.js").read_text(encoding="utf-8"))
    members = [name for family in families for name in re.findall(r'"([^"]+)"', family)]
    assert sorted(members) == sorted(COLOURS) == sorted(ALL_LABELS)
