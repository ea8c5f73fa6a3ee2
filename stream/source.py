"""What every source of audio looks like from the service's side."""

from __future__ import annotations

from typing import Protocol

from stream.handoff import HandOff


class Source(Protocol):
    """Audio that a thread of its own delivers into a hand-off, from opening to closing."""

    name: str
    """What is heard, for people."""
    rate: int
    """Frames a second, in Hz."""
    channels: int
    """Channels of its blocks."""
    handoff: HandOff
    """Where its audio arrives."""

    def close(self) -> None:
        """Stop delivering and give the device or file back; harmless when done already."""
