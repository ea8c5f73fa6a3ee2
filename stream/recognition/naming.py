"""What another line-up would name of what a recognizer hears, without an inference of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from stream.recognition.results import Result
from stream.recognition.smoothing import Smoother
from stream.recognition.taught import TaughtNames

_LONGEST_HOP: Final = 1.0  # s; what was skipped beyond it was not heard


class Naming:
    """Follows the results of a recognizer, and names out of a line-up of its own; `Recognizer.naming` makes it.

    With the recognizer's own line-up it names what that names.

    Parameters
    ----------
    instruments : sequence of str
        Those of the model, and the taught names.
    lineup : collection of str
        Those of them that may be named.
    smoother : Smoother
        Which has heard nothing.
    taught : TaughtNames, optional
    """

    def __init__(
        self,
        instruments: Sequence[str],
        lineup: Collection[str],
        smoother: Smoother,
        taught: TaughtNames | None = None,
    ) -> None:
        self._instruments = instruments
        self._in_lineup = np.array([name in lineup for name in instruments])
        self._smoother = smoother
        self._taught = taught
        self._time: float | None = None

    def name(self, result: Result) -> str | None:
        """Return the instrument in front at the end of a hop; None where none is."""
        time, before = result.estimate.time, self._time
        self._time = time
        if result.inference is None:
            self._smoother.reset()
            return None
        known = result.inference.probabilities if self._taught is None else self._taught.join(result.inference)
        elapsed = 0.0 if before is None else min(time - before, _LONGEST_HOP)
        _, named = self._smoother.update(np.where(self._in_lineup, known, 0.0), elapsed)
        return None if named is None else self._instruments[named]
