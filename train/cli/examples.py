"""``soloist train examples``: write clips to listen to, and their spectrograms."""

from __future__ import annotations

import argparse
import html
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from stream.recognition.mel import SAMPLE_RATE
from train.cli.options import Actions, chosen_data, data_arguments, print_now, running_arguments

if TYPE_CHECKING:
    from train.datasets.clips import Clip, Dataset

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Examples</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.4 system-ui, sans-serif }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem }}
figure {{ margin: 0 }} svg, audio {{ width: 100%; height: auto }} audio {{ height: 2.5rem }}
</style>
<h1>Examples of {name}</h1>
<main>
{entries}
</main>
"""

_EXAMPLE = """<figure>{picture}<audio controls preload="none" src="{source}"></audio>
<figcaption>{name}</figcaption></figure>"""


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parents = [data_arguments(), running_arguments()]
    parser = actions.add_parser("examples", parents=parents, help="write clips to listen to, and their spectrograms")
    parser.add_argument("--out", type=Path, required=True, help="folder for the clips")
    parser.add_argument("--each", type=int, default=4, help="clips of each label (default: %(default)s)")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Write clips of every label, and a page with their spectrograms."""
    import soundfile  # not before: --help need not wait for these libraries

    from train.datasets.clip_features import window_features
    from train.report import figures

    dataset = chosen_data(arguments).open(arguments.cache)
    arguments.out.mkdir(parents=True, exist_ok=True)
    entries: list[str] = []
    for clip, number in _few(dataset, arguments.each):
        audio = dataset.audio(clip)
        name = f"{clip.label} {number} ({clip.recording.replace('/', ' - ')}).flac"
        soundfile.write(arguments.out / name, audio, SAMPLE_RATE)
        picture = figures.spectrogram(window_features(audio), name=f"clip{len(entries)}", description=name)
        entries.append(_EXAMPLE.format(name=html.escape(name), source=quote(name), picture=picture))
        print_now(str(arguments.out / name))
    page = arguments.out / "index.html"
    page.write_text(_PAGE.format(name=html.escape(dataset.name), entries="\n".join(entries)), encoding="utf-8")
    print_now(str(page))


def _few(dataset: Dataset, each: int) -> list[tuple[Clip, int]]:
    """Choose some training clips of every label, numbered, of different recordings while there are enough."""
    chosen = []
    for label in dataset.labels:
        clips = [clip for clip in dataset.clips if clip.label == label and clip.split == "training"]
        firsts = {clip.recording: clip for clip in reversed(clips)}
        clips.sort(key=lambda clip: firsts[clip.recording] != clip)
        chosen += [(clip, number) for number, clip in enumerate(clips[:each], 1)]
    return chosen
