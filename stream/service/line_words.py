"""What the check of lines says to people: of each line, and of each channel with which something is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeAlias

from stream.audio.channel_check import ChannelFindings
from stream.service.line_check import CheckReport
from stream.service.line_states import LineState
from stream.system.names import join_names

Kind: TypeAlias = Literal["broken", "dead", "silent", "clipped", "hum", "copy"]

_PATIENCE: Final = 5.0
"""Seconds of audio before a channel is told to be silent."""
_EQUAL: Final = 0.1
"""dB of gain that are not worth a word."""
_MASSES: Final = ("percussion", "speech", "noise")
"""Names that are of no single thing, besides those that end like plurals."""


class Warned(NamedTuple):
    """What is wrong with a channel."""

    channel: int
    """Counted from 1."""
    kind: Kind
    detail: int
    """What makes it another warning of its kind: the frequency of the mains, or the channel that it equals."""
    text: str
    """Without the channel."""

    @property
    def key(self) -> tuple[int, Kind, int]:
        """What stays the same while it lasts."""
        return self.channel, self.kind, self.detail


def line_text(line: LineState, device_channels: int) -> str:
    """Say how it is with a line."""
    parts = []
    if line.lacking:
        lacking = " and ".join(map(str, line.lacking))
        parts.append(f"the plan has channel {lacking}; the device has {device_channels}")
    for name in dict.fromkeys(it.instrument for it in line.elsewhere):
        spots = [channels_name(it.channels) for it in line.elsewhere if it.instrument == name]
        parts.append(f"the {name} is on {' and '.join(spots)}")
    if line.other is not None:
        parts.append(f"on {channels_name(line.plan.channels)} there is {_with_article(line.other)}")
    if parts:
        return "; ".join(parts)
    if line.colour == "green":
        return "heard"
    return "not heard yet" if line.seconds == 0 else "heard, not yet for long enough"


def warnings(report: CheckReport) -> list[Warned]:
    """Say what is wrong with the channels; that one is silent only of those that the plan has."""
    planned = {channel for line in report.lines for channel in line.plan.channels}
    return [it for findings in report.channels for it in _warnings(findings, report, planned)]


def channel_name(channel: int, report: CheckReport) -> str:
    """Name a channel, with the lines to which it belongs."""
    names = [line.plan.name for line in report.lines if channel in line.plan.channels]
    return f"channel {channel} ({join_names(names)})" if names else f"channel {channel}"


def _warnings(found: ChannelFindings, report: CheckReport, planned: set[int]) -> Iterable[Warned]:
    channel = found.channel
    if found.is_broken:
        yield Warned(channel, "broken", 0, "holds samples that are not numbers: restart what sends them")
    if channel in planned and report.time >= _PATIENCE:
        if found.is_dead:
            yield Warned(channel, "dead", 0, "delivers only zeros: check what is routed to it, and its mute switch")
        elif found.is_silent:
            told = f"is silent ({found.level:.0f} dBFS at the most): check the cable, the mute switch and the gain"
            yield Warned(channel, "silent", 0, told)
    if found.clipped:
        times = "once" if found.clipped == 1 else f"{found.clipped} times"
        yield Warned(channel, "clipped", 0, f"was clipped {times}: turn the gain down")
    if found.hum:
        told = f"hums at {found.hum} Hz ({found.hum_level:.0f} dBFS): check its shield, ground and power supply"
        yield Warned(channel, "hum", found.hum, told)
    if found.copy is not None:
        yield Warned(channel, "copy", found.copy.original + 1, _copy_text(found, report))


def _copy_text(found: ChannelFindings, report: CheckReport) -> str:
    copy = found.copy
    assert copy is not None
    original = copy.original + 1
    louder = ""
    if abs(copy.gain) >= _EQUAL:
        louder = f", {abs(copy.gain):.1f} dB {'louder' if copy.gain > 0 else 'quieter'}"
    inverted = ", with its polarity inverted" if copy.is_inverted else ""
    shared = [it.plan.name for it in report.lines if {found.channel, original} <= {*it.plan.channels}]
    if shared and copy.is_inverted:
        advice = f"they cancel each other in line {join_names(shared)}: look for an inverted or a balanced cable"
    else:
        advice = "look for one signal that is patched or routed twice"
    return f"carries the same as channel {original}{louder}{inverted}: {advice}"


def channels_name(channels: Iterable[int]) -> str:
    """Name the channels of which the mean is heard."""
    return "+".join(map(str, channels))


def _with_article(name: str) -> str:
    if name.endswith("s") or name in _MASSES:
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
