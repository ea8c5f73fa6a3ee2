"""Whether a taught name is told apart from everything else, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

RECOGNIZED: Final = 0.8
"""Share of the held-out windows that must be recognized."""

OFTEN: Final = 0.2
"""Share of the bank's windows of one label from which on it is said that they are taken for the name."""

PASSING: Final = 0.05
"""Share of the bank that may be taken for the name."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """How a name does on windows that its head was not fitted to, and on the bank."""

    held_out: int
    """Windows of its own, each tried with a head that was fitted without the five seconds around it."""
    recognized: int
    """Those of them that are recognized."""
    strangers: int
    """Windows of the bank, without those of the label that it is one of."""
    passing: int
    """Those of them that are taken for it."""
    nearest: Mapping[str, float]
    """The labels of which most pass, with the share of their windows, the largest first; three at the most."""
    rivals: Mapping[str, int]
    """How many of its held-out windows are taken for each of the other taught names."""
    taken_for: Mapping[str, float]
    """Share of its windows that the model takes for each label, the largest first."""

    @property
    def is_reliable(self) -> bool:
        """Whether it is told apart."""
        return not self.doubts()

    def doubts(self) -> list[str]:
        """Say why it is not told apart, a clause for each reason."""
        found = []
        if not self.held_out:
            found.append("there was not enough to try it on: play for longer")
        elif self.recognized < RECOGNIZED * self.held_out:
            found.append(
                f"only {self.recognized} of {self.held_out} windows are recognized when they are held out: play for "
                "longer, and what is played on stage"
            )
        if self.passing > PASSING * self.strangers:
            found.append(f"{self.passing} of {self.strangers} windows of others are taken for it")
        if self.held_out:
            found += [
                f"{count} of {self.held_out} windows are taken for {name}"
                for name, count in self.rivals.items()
                if count > (1 - RECOGNIZED) * self.held_out
            ]
        return found

    @property
    def mistaken(self) -> str | None:
        """What else is taken for it often, in words, though all in all little is; None where nothing is."""
        often = [f"{share:.0%} of {label}" for label, share in self.nearest.items() if share > OFTEN]
        return f"also taken for it: {', '.join(often)}" if often else None

    def record(self) -> dict[str, Any]:
        """Return it as json takes it; `Reliability.recall` undoes it."""
        return asdict(self)

    @classmethod
    def recall(cls, held: Mapping[str, Any]) -> Reliability:
        """Read what `record` wrote.

        Raises
        ------
        KeyError, TypeError, ValueError
            When it is not that.
        """
        nearest, taken_for = (
            {str(name): float(share) for name, share in dict(held[key]).items()} for key in ("nearest", "taken_for")
        )
        rivals = {str(name): int(count) for name, count in dict(held["rivals"]).items()}
        return cls(
            held_out=int(held["held_out"]),
            recognized=int(held["recognized"]),
            strangers=int(held["strangers"]),
            passing=int(held["passing"]),
            nearest=nearest,
            rivals=rivals,
            taken_for=taken_for,
        )
