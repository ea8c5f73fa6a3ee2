"""What `soloist classify` tells of a file."""

from __future__ import annotations

import json

from stream.classify import Timeline


def as_json(timeline: Timeline) -> str:
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


def as_text(timeline: Timeline) -> str:
    """Write a timeline for people."""
    lines = [f"{timeline.file}: {timeline.label} ({timeline.confidence:.0%}), {_clock(timeline.seconds)}\n"]
    lines += [
        f"  {_clock(segment.start)} - {_clock(segment.end)}  {segment.label or segment.state:<26}"
        + (f"{segment.confidence:4.0%}\n" if segment.state != "silence" else "\n")
        for segment in timeline.segments
    ]
    if timeline.clipped:
        lines.append("  samples are at full scale: the recording may be clipped\n")
    return "".join(lines)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):2d}:{rest:05.2f}"
