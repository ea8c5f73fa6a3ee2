"""All figures but the soak's, one group after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stream.bench.fanout import fanout
from stream.bench.figures import GROUPS, Figures, keys
from stream.bench.recognition_speed import file_speed, hop_times, librosa_ratios
from stream.bench.running_service import handover_delay, memory, start_time
from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from stream.recognition.settings import MODEL


def measure(
    model: str | None = None,
    groups: tuple[str, ...] | None = None,
    report: Callable[[str], None] = lambda group: None,
) -> Figures:
    """Measure this machine.

    Parameters
    ----------
    model : str, optional
        Name or path of the model; the default one without it.
    groups : tuple of str, optional
        Those out of `figures.GROUPS` that are wanted; all without it.
    report : callable
        Called with the name of each group before it is measured.

    Returns
    -------
    dict
        The keys of these groups, in the order of `FIGURES`; None for what could not be measured here.

    Raises
    ------
    SoloistError
        When the model cannot be used, or the service does not start.
    """
    model = model or MODEL
    classifier = Classifier(bundle.load(model))
    measured: dict[str, Callable[[], Figures]] = {
        "hop": lambda: hop_times(classifier),
        "features": lambda: librosa_ratios(model),
        "handover": lambda: asyncio.run(handover_delay(model)),
        "memory": lambda: asyncio.run(memory(model)),
        "start": lambda: asyncio.run(start_time(model)),
        "fanout": lambda: asyncio.run(fanout()),
        "files": lambda: file_speed(classifier),
    }
    groups = groups or GROUPS
    figures: Figures = dict.fromkeys(keys(groups))
    for group, take in measured.items():
        if group in groups:
            report(group)
            figures |= take()
    return figures
