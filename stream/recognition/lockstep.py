"""Several recognizers that hear parts of one sound: all of them at the same moments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stream.recognition.mel import SAMPLE_RATE, Array
from stream.recognition.recognizer import Recognizer


def take_hops(recognizers: Sequence[Recognizer], samples: Sequence[Array], ahead: int | None) -> Iterator[bool]:
    """Let recognizers take samples, and stop at each hop that these complete.

    A hop whose next one is complete already is skipped, for it would only make what is told older.

    Parameters
    ----------
    recognizers : sequence of Recognizer
        At least one; with the same hop, and the same position on its grid.
    samples : sequence of np.ndarray [shape=(n,), dtype=float32]
        One for each recognizer, as `Recognizer.take` takes them; all of one length.
    ahead : int, optional
        Samples that are known to follow at once. None where no hop is to be skipped.

    Yields
    ------
    bool
        Whether the hop is due: all recognizers are to be evaluated before the next one is asked for. False where it
        was skipped.
    """
    first = recognizers[0]
    hop = round(first.hop * SAMPLE_RATE)
    while True:
        samples = [it.take(each) for it, each in zip(recognizers, samples, strict=True)]
        if not first.due:
            return
        is_late = ahead is not None and len(samples[0]) + ahead >= hop
        if is_late:
            for recognizer in recognizers:
                recognizer.skip()
        yield not is_late
