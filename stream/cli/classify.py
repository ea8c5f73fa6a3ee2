"""`soloist classify`: what is in audio files."""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import TYPE_CHECKING, Final

from stream.cli.settings_flags import add_recognition, sources
from stream.errors import SoloistError
from stream.system.terminal import print_error, printable

if TYPE_CHECKING:
    from stream.service.offline import FileTimeline

HELP = "recognize audio files, as fast as the machine can"

_LEAST_MISSED: Final = 0.05  # s


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which files, and what decides about labels."""
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--json", action="store_true", default=False, help="one JSON object per file and line")
    parser.add_argument("--channel", metavar="N", help="listen to this channel only, counted from 1")
    add_recognition(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Tell what is in audio files; those that cannot be read are told, and the others are done."""
    from stream.recognition import bundle
    from stream.recognition.classifier import Classifier
    from stream.service.offline import classify
    from stream.settings import check
    from stream.settings.reading import read, refuse

    reading = read(*sources(options, input="-"))
    refuse(reading.problems)
    settings, channel = reading.settings.recognition, reading.settings.audio.channel
    classifier = Classifier(bundle.load(settings.model), runtime=settings.runtime, threads=settings.threads)
    refuse(check.strangers(reading, classifier.bundle.instruments, classifier.bundle.name))
    failed = 0
    for file in options.files:
        try:
            timeline = classify(
                file,
                classifier,
                hop=settings.hop,
                lineup=settings.instruments,
                gate=settings.gate,
                channel=channel,
            )
        except SoloistError as error:
            print_error(error)
            failed = 1
            continue
        for note in notes(timeline):
            print_error(note)
        sys.stdout.write(as_json(timeline) if options.json else as_text(timeline))
        sys.stdout.flush()
    return failed


def as_json(timeline: FileTimeline) -> str:
    """Write one line of JSON."""
    told = {
        "file": timeline.file,
        "seconds": round(timeline.seconds, 3),
        "label": timeline.label,
        "confidence": round(timeline.confidence, 4),
        "probabilities": {name: round(value, 4) for name, value in timeline.probabilities.items()},
        "segments": [
            {
                "start": round(segment.start, 3),
                "end": round(segment.end, 3),
                "label": segment.label or segment.state,
                "confidence": round(segment.confidence, 4),
            }
            for segment in timeline.segments
        ],
    }
    return json.dumps(told) + "\n"


def as_text(timeline: FileTimeline) -> str:
    """Write a timeline for people."""
    lines = [f"{printable(timeline.file)}: {timeline.label} ({timeline.confidence:.0%}), {_clock(timeline.seconds)}\n"]
    lines += [
        f"  {_clock(segment.start)} - {_clock(segment.end)}  {segment.label or segment.state:<26}"
        + (f"{segment.confidence:4.0%}\n" if segment.state != "silence" else "\n")
        for segment in timeline.segments
    ]
    if timeline.clipped:
        lines.append("  samples are at full scale: the recording may be clipped\n")
    return "".join(lines)


def notes(timeline: FileTimeline) -> list[str]:
    """Say what is wrong with the file, a line each."""
    told = []
    if timeline.invalid:
        told.append(f"{timeline.file}: {timeline.invalid} samples are not numbers; they are taken as zeros")
    if math.isinf(timeline.missing):
        told.append(f"{timeline.file}: breaks off: its end is missing")
    elif timeline.missing >= _LEAST_MISSED:
        promised = timeline.seconds + timeline.missing
        told.append(f"{timeline.file}: breaks off: {timeline.missing:.1f} s of the {promised:.1f} s are missing")
    return told


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):2d}:{rest:05.2f}"
