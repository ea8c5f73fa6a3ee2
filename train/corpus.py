"""Features of many composed clips, computed by several processes and kept on disk."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stream.features import FRAMES, N_MELS, PARAMETERS, TOP_DB, WINDOW, StreamingMel
from train import composer, effects, pack, phrases
from train.composer import Composer, Recipe
from train.pack import digest, read_pack, read_rooms

Features = npt.NDArray[np.uint8]
Rendered = tuple[Features, list[int], list[str]]

STEPS: Final = 255
"""Steps of the stored features: 0 is -80 dB, 255 is 0 dB, as in the int8 model's input."""

_CHUNK: Final = 128


@dataclass(frozen=True, slots=True)
class Corpus:
    """Composed clips as the network sees them."""

    features: Features
    """shape=(n, 129, 129), mel bands by frames, in steps of 80/255 dB above -80 dB; memory-mapped"""
    labels: npt.NDArray[np.int64]
    """shape=(n,), indices into `pack.LABELS`"""
    sources: list[str]
    """Instrument and source of each clip's predominant sound."""
    digest: str
    """Of everything that determines the clips."""


def compose(recipe: Recipe, count: int, processes: int) -> Corpus:
    """Compose `count` clips, or load them where they have been composed before.

    Parameters
    ----------
    recipe : Recipe
        What determines the clips; its cache folder keeps them.
    count : int
        How many.
    processes : int
        Worker processes; the result does not depend on it.

    Returns
    -------
    Corpus
        Clips 0 to `count` of the recipe.
    """
    key = _digest(recipe)
    stem = recipe.cache / f"clips-{key}-{count}"
    features_path, about_path = stem.with_suffix(".npy"), stem.with_suffix(".json")
    if not about_path.exists():
        Composer(recipe)  # decodes the tape before the workers need it
        shape = (count, N_MELS, FRAMES)
        features = np.lib.format.open_memmap(features_path, "w+", np.uint8, shape)
        labels: list[int] = []
        sources: list[str] = []
        for start, (chunk, chunk_labels, chunk_sources) in _rendered(recipe, count, processes):
            features[start : start + len(chunk)] = chunk
            labels += chunk_labels
            sources += chunk_sources
        features.flush()
        about_path.write_text(json.dumps({"labels": labels, "sources": sources}))
    about = json.loads(about_path.read_text())
    features = np.load(features_path, mmap_mode="r")
    return Corpus(features, np.array(about["labels"], np.int64), about["sources"], key)


def quantise(db: npt.NDArray[np.float32]) -> Features:
    """Bring features in dB, -80 to 0, to steps of 80/255 dB."""
    return np.round((db + np.float32(TOP_DB)) * np.float32(STEPS / TOP_DB)).astype(np.uint8)


def decibels(features: Features) -> npt.NDArray[np.float32]:
    """Undo `quantise`."""
    return features.astype(np.float32) * np.float32(TOP_DB / STEPS) - np.float32(TOP_DB)


def window_features(audio: npt.NDArray[np.float32]) -> Features:
    """Features of one clip by the service's own front end, its end cut or filled with zeros.

    Parameters
    ----------
    audio : np.ndarray [shape=(n,), dtype=float32]
        Mono audio at 22 050 Hz.

    Returns
    -------
    np.ndarray [shape=(129, 129), dtype=uint8]
        Mel bands by frames, quantised.
    """
    window = np.zeros(WINDOW, np.float32)
    window[: len(audio)] = audio[:WINDOW]
    mel = _front_end()
    mel.reset()
    return quantise(mel.features(window, WINDOW))


def _rendered(
    recipe: Recipe, count: int, processes: int
) -> Iterator[tuple[int, tuple[Features, list[int], list[str]]]]:
    jobs = [(recipe, start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    starts = [start for _, start, _ in jobs]
    if processes < 2:
        yield from zip(starts, map(_render, jobs), strict=True)
        return
    # Spawned, not forked: the parent may have TensorFlow's threads.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        yield from zip(starts, pool.map(_render, jobs), strict=True)


def _render(job: tuple[Recipe, int, int]) -> Rendered:
    recipe, start, stop = job
    clips = [_composer(recipe).clip(index) for index in range(start, stop)]
    features = np.stack([window_features(clip.audio) for clip in clips])
    return features, [clip.label for clip in clips], [clip.source for clip in clips]


@functools.lru_cache(maxsize=2)
def _composer(recipe: Recipe) -> Composer:
    return Composer(recipe)


@functools.lru_cache(maxsize=1)
def _front_end() -> StreamingMel:
    return StreamingMel()


def _digest(recipe: Recipe) -> str:
    """Digest of the recordings, the split, the seed, the features and the code that composes."""
    state = hashlib.sha256()
    for module in (composer, effects, pack, phrases):
        # The syntax tree, so that a comment does not cost an hour of composing.
        state.update(ast.dump(ast.parse(inspect.getsource(module))).encode())
    rows = digest(read_pack(recipe.data) + read_rooms(recipe.data))
    state.update(json.dumps([rows, recipe.held_out, recipe.seed, PARAMETERS], sort_keys=True).encode())
    return state.hexdigest()[:16]
