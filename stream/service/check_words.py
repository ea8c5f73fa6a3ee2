"""From the report of a line check to the message of the protocol."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stream.protocol.check import ChannelWarning, CheckedChannel, CheckedLine, HeardElsewhere
from stream.service.line_check import CheckReport
from stream.service.line_states import LineState
from stream.service.line_words import line_text, warnings
from stream.settings.lines_plan import LinePlan


def checked_lines(report: CheckReport) -> list[CheckedLine]:
    """Say how it is with each line."""
    return [_line(line, line_text(line, report.device_channels)) for line in report.lines]


def lines_to_come(plan: Sequence[LinePlan]) -> list[CheckedLine]:
    """Say of each line that nothing is known of it yet: there is no source."""
    return [_line(LineState(it, "waiting", 0.0, (), None, None), "there is no audio yet") for it in plan]


def checked_channels(report: CheckReport) -> list[CheckedChannel]:
    """Say what was found of each channel."""
    told: dict[int, list[ChannelWarning]] = {}
    for it in warnings(report):
        told.setdefault(it.channel, []).append(ChannelWarning(it.kind, it.text))
    return [
        CheckedChannel(it.channel, it.level if math.isfinite(it.level) else None, told.get(it.channel, []))
        for it in report.channels
    ]


def _line(line: LineState, text: str) -> CheckedLine:
    plan, heard = line.plan, line.heard
    return CheckedLine(
        name=plan.name,
        channels=list(plan.channels),
        instruments=list(plan.instruments),
        colour=line.colour,
        seconds=line.seconds,
        heard=None if heard is None else heard.shown,
        level=None if heard is None else heard.level,
        elsewhere=[HeardElsewhere(it.instrument, list(it.channels)) for it in line.elsewhere],
        other=line.other,
        lacking=list(line.lacking),
        text=text,
    )
