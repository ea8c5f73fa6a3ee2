"""How well an embedding tells instruments apart that no model has heard, after ten seconds of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.compose.unheard import Rendering
from train.datasets.clips import Array

Embed = Callable[[Array], npt.NDArray[np.floating]]
"""From a window [shape=(65536,), dtype=float32] to a vector of any length but zero."""

LEARNED: Final = 10.0
"""Seconds that an instrument is learned from."""

AMONG: Final = 4
"""Instruments among which one is to be found."""

_HOP: Final = 1.0  # s between the windows that are learned from


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """How often the nearest prototype is the right one."""

    name: str
    instruments: tuple[str, ...]
    windows: tuple[int, ...]
    """Windows of each, of other recordings than those that were learned from."""
    right: tuple[float, ...]
    """Share of them that is right among `AMONG` instruments, mean over all choices of the others."""
    right_among_all: tuple[int, ...]
    """How many of them are right among all instruments."""

    @property
    def average(self) -> float:
        """Mean over the instruments, among four."""
        return sum(self.right) / len(self.right)

    @property
    def average_among_all(self) -> float:
        """Mean over the instruments, among all."""
        shares = [right / of for right, of in zip(self.right_among_all, self.windows, strict=True)]
        return sum(shares) / len(shares)

    def figures(self) -> dict[str, Any]:
        """Plain numbers, as json takes them."""
        return {
            "average": round(self.average, 4),
            "average_among_all": round(self.average_among_all, 4),
            "instruments": {
                name: {"windows": windows, "right": round(right, 4), "right_among_all": among_all}
                for name, windows, right, among_all in zip(
                    self.instruments, self.windows, self.right, self.right_among_all, strict=True
                )
            },
        }


def try_embedding(name: str, embed: Embed, renderings: Sequence[Rendering]) -> EmbeddingResult:
    """Learn every instrument from 10 s of one font, and find it in windows of the other one, both ways.

    Parameters
    ----------
    name : str
        Whose embedding it is.
    embed : callable
    renderings : sequence of Rendering
        Of four instruments or more, each from two fonts.

    Returns
    -------
    EmbeddingResult
    """
    instruments = tuple(dict.fromkeys(rendering.instrument for rendering in renderings))
    fonts = tuple(dict.fromkeys(rendering.font for rendering in renderings))
    audio = {(rendering.instrument, rendering.font): rendering.audio for rendering in renderings}
    prototypes = {
        font: np.stack([_prototype(embed, audio[instrument, font]) for instrument in instruments]) for font in fonts
    }
    windows, right, among_all = [], [], []
    for number, instrument in enumerate(instruments):
        ranks = []
        for font in fonts:
            (other,) = (other for other in fonts if other != font)
            seen = np.stack([_unit(embed(window)) for window in _windows(audio[instrument, other], WINDOW)])
            likeness = seen @ prototypes[font].T
            ranks += (likeness > likeness[:, [number]]).sum(axis=1).tolist()  # instruments that are nearer
        windows.append(len(ranks))
        right.append(float(np.mean([_chance(rank, len(instruments)) for rank in ranks])))
        among_all.append(sum(rank == 0 for rank in ranks))
    return EmbeddingResult(name, instruments, tuple(windows), tuple(right), tuple(among_all))


def embedding_table(results: Sequence[EmbeddingResult]) -> str:
    """Markdown: each embedding's averages, and a row for each instrument."""
    first = results[0]
    count = len(first.instruments)
    lines = [
        f"| unheard instrument, right of {AMONG} (of all {count}) | "
        + " | ".join(result.name for result in results)
        + " |",
        "| --- |" + " ---: |" * len(results),
        f"| average, {sum(first.windows)} windows | "
        + " | ".join(f"{100 * each.average:.1f} % ({100 * each.average_among_all:.1f} %)" for each in results)
        + " |",
    ]
    for number, instrument in enumerate(first.instruments):
        cells = [
            f"{100 * each.right[number]:.1f} % ({each.right_among_all[number]} of {each.windows[number]})"
            for each in results
        ]
        lines.append(f"| {instrument} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _prototype(embed: Embed, audio: Array) -> npt.NDArray[np.floating]:
    """Mean direction of the windows of the first ten seconds."""
    learned = audio[: round(LEARNED * SAMPLE_RATE)]
    return _unit(np.mean([_unit(embed(window)) for window in _windows(learned, round(_HOP * SAMPLE_RATE))], axis=0))


def _windows(audio: Array, hop: int) -> list[Array]:
    return [audio[at : at + WINDOW] for at in range(0, len(audio) - WINDOW + 1, hop)]


def _unit(vector: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12))


def _chance(nearer: int, instruments: int) -> float:
    """Share of the choices of three others among which none is nearer."""
    return math.comb(instruments - 1 - nearer, AMONG - 1) / math.comb(instruments - 1, AMONG - 1)
