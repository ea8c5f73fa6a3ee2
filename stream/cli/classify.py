"""What `soloist classify` tells of a file."""

from __future__ import annotations

import json
import math
from typing import Final

from stream.service.offline import FileTimeline
from stream.system.terminal import printable

_LEAST_MISSED: Final = 0.05  # s


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
