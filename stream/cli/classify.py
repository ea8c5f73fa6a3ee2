"""`soloist classify`: what is in audio files."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from stream.cli.settings_flags import add_recognition, sources
from stream.errors import ConfigError, SoloistError
from stream.system.terminal import print_error, printable

if TYPE_CHECKING:
    from stream.service.offline import FileTimeline

_MOST_JOBS: Final = 64
HELP = "recognize audio files, as fast as the machine can"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which files, and what decides about labels."""
    parser.add_argument("files", nargs="+", metavar="FILE")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--format",
        choices=["text", "json", "csv", "audacity"],
        default="text",
        help="of what is printed (text): json has one object per file and line, csv one row per segment, audacity "
        "the labels of one file",
    )
    form.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    parser.add_argument("--jobs", metavar="N", help="files at once, each in a thread (as many as there are processors)")
    parser.add_argument("--channel", metavar="N", help="listen to this channel only, counted from 1")
    add_recognition(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Tell what is in audio files; those that cannot be read are told, and the others are done."""
    from stream.players.folder import taught_heads
    from stream.recognition import bundle
    from stream.recognition.classifier import Classifier
    from stream.recognition.taught import with_names
    from stream.service.offline_pool import classify_all
    from stream.settings import check
    from stream.settings.reading import read, refuse
    from stream.system.processors import processors
    from stream.system.stderr import audible_stderr

    reading = read(*sources(options, input="-"))
    refuse(reading.problems)
    if options.format == "audacity" and len(options.files) > 1:
        raise ConfigError("--format audacity is for one file: its labels have times, but no place for a file's name")
    settings, channel = reading.settings.recognition, reading.settings.audio.channel
    jobs = _jobs(vars(options).get("jobs")) or processors()
    model = bundle.load(settings.model)
    taught = taught_heads(settings.players, model, print_error)
    refuse(check.strangers(reading, with_names(model, [head.name for head in taught])))
    # One is made here, so that what is wrong with the model is told once and not of each file.
    made = [Classifier(model, runtime=settings.runtime, threads=settings.threads)]

    def make() -> Classifier:
        try:
            return made.pop()
        except IndexError:
            return Classifier(model, runtime=settings.runtime, threads=settings.threads)

    write = _WRITERS[options.format]
    failed = 0
    if options.format == "csv":
        _print(csv_head())
    told = {
        "hop": settings.hop,
        "lineup": settings.instruments,
        "gate": settings.gate,
        "threshold": settings.threshold,
        "taught": taught,
    }
    timelines = classify_all(options.files, make, jobs, channel=channel, **told)
    with audible_stderr(), closing(timelines):
        for timeline in timelines:
            if isinstance(timeline, SoloistError):
                print_error(timeline)
                failed = 1
                continue
            for note in notes(timeline):
                print_error(note)
            if options.format in ("csv", "audacity"):
                _print(write(timeline))
            else:
                sys.stdout.write(write(timeline))
                sys.stdout.flush()
    return failed


def _jobs(given: str | None) -> int | None:
    """Read how many files are to be heard at once."""
    if given is None:
        return None
    if not given.isdecimal() or not 1 <= int(given) <= _MOST_JOBS:
        raise ConfigError(f'--jobs is "{given}"; expected a whole number from 1 to {_MOST_JOBS}')
    return int(given)


def _print(text: str) -> None:
    """Write a part of a file that is UTF-8 with line ends of its own, whatever the terminal is."""
    sys.stdout.buffer.write(text.encode(errors="backslashreplace"))  # names of files need not be UTF-8
    sys.stdout.flush()


def as_json(timeline: FileTimeline) -> str:
    """Write one line of JSON."""
    told: dict[str, Any] = {
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
        "totals": [
            {"label": total.label, "seconds": round(total.seconds, 3), "share": round(total.share, 4)}
            for total in timeline.totals
        ],
    }
    if timeline.alone:
        told["alone"] = [
            {"start": round(it.start, 3), "end": round(it.end, 3), "channel": it.channel, "reason": it.reason}
            for it in timeline.alone
        ]
    return json.dumps(told) + "\n"


def as_text(timeline: FileTimeline) -> str:
    """Write a timeline for people: how long each label is heard, then what is heard from when to when."""
    lines = [f"{printable(timeline.file)}: {_clock(timeline.seconds).strip()}\n"]
    lines += [
        f"  {total.label:<26}{_clock(total.seconds)}  {total.share:4.0%} of the time\n" for total in timeline.totals
    ]
    lines += ["\n"] * bool(timeline.segments)
    lines += [
        f"  {_clock(segment.start)} - {_clock(segment.end)}  {segment.label or segment.state:<26}"
        + (f"{segment.confidence:4.0%}\n" if segment.state != "silence" else "\n")
        for segment in timeline.segments
    ]
    if timeline.over:
        lines.append(f"  samples go {timeline.over:.1f} dB beyond full scale: what plays the file will clip them\n")
    if timeline.clipped:
        lines.append("  samples are at full scale: the recording may be clipped\n")
    return "".join(lines)


def csv_head() -> str:
    """Write the first row of a CSV file, of which each timeline is a part."""
    from stream.session_log.file_formats import CSV_START, csv_lines

    return CSV_START + csv_lines([("file", "start", "end", "state", "label", "confidence")])


def as_csv(timeline: FileTimeline) -> str:
    """Write a row for each segment."""
    from stream.session_log.file_formats import csv_lines, fixed, without_formula

    return csv_lines(
        (
            without_formula(timeline.file),
            fixed(segment.start, 3),
            fixed(segment.end, 3),
            segment.state,
            without_formula(segment.label or ""),
            fixed(segment.confidence, 4),
        )
        for segment in timeline.segments
    )


def as_audacity(timeline: FileTimeline) -> str:
    """Write labels for Audacity, worded as those of the dashboard and of `soloist sessions export`."""
    from stream.session_log.file_formats import Span, to_audacity
    from stream.session_log.records import Record

    records = [
        Record(0, "segment", part.start, part.end, part.state, part.label, part.confidence, source=None, text=None)
        for part in timeline.segments
    ]
    return to_audacity(records, Span(0.0, timeline.seconds))


_WRITERS: Final = {"text": as_text, "json": as_json, "csv": as_csv, "audacity": as_audacity}


def notes(timeline: FileTimeline) -> list[str]:
    """Say what is wrong with the file, a line each."""
    told = []
    if timeline.invalid:
        told.append(f"{timeline.file}: {timeline.invalid} samples are not numbers; they are taken as zeros")
    if timeline.alone:
        told.append(f"{timeline.file}: {_told_alone(timeline)}")
    return told + [f"{timeline.file}: {remark}" for remark in timeline.remarks]


def _told_alone(timeline: FileTimeline) -> str:
    """Say which channel is heard and not the average of all, and why."""
    first, seconds = timeline.alone[0], sum(it.end - it.start for it in timeline.alone)
    channels = " or ".join(str(number) for number in sorted({it.channel for it in timeline.alone}))
    share = "" if seconds > 0.9 * timeline.seconds else f" for {seconds:.1f} of {timeline.seconds:.1f} s"
    return f"{first.reason}: channel {channels} alone is heard{share}; --channel N chooses another"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):2d}:{rest:05.2f}"
