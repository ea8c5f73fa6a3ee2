"""What a service reads of the files that its settings name, and the recognizer that is made of it."""

from __future__ import annotations

import logging

from stream.players.folder import taught_heads
from stream.recognition import bundle
from stream.recognition.classifier import Classifier
from stream.recognition.recognizer import Recognizer
from stream.recognition.settings import RecognitionSettings
from stream.recognition.taught import Head
from stream.server.access import Access
from stream.settings.lines import LineSettings
from stream.settings.settings import Settings

_log = logging.getLogger(__name__)


def read(settings: Settings) -> tuple[Access, Classifier, tuple[Head, ...]]:
    """Read all files that may be other ones now."""
    classifier = load_classifier(settings.recognition)
    return Access.of(settings.server), classifier, load_taught(settings.recognition, classifier)


def load_classifier(settings: RecognitionSettings) -> Classifier:
    """Load the model."""
    return Classifier(bundle.load(settings.model), runtime=settings.runtime, threads=settings.threads)


def load_taught(settings: RecognitionSettings, classifier: Classifier) -> tuple[Head, ...]:
    """Read the taught players; a file that cannot be used is logged, and no reason not to listen."""
    return taught_heads(settings.players, classifier.bundle, lambda problem: _log.warning("%s", problem))


def make_recognizer(
    settings: RecognitionSettings,
    classifier: Classifier,
    taught: tuple[Head, ...] = (),
    line: LineSettings | None = None,
) -> Recognizer:
    """Make what recognizes, with what is its own of a line."""
    lineup, gate, threshold = settings.instruments, settings.gate, settings.threshold
    if line is not None:
        lineup = lineup if line.instruments is None else line.instruments
        gate = gate if line.gate is None else line.gate
        threshold = threshold if line.threshold is None else line.threshold
    return Recognizer(classifier, hop=settings.hop, lineup=lineup, gate=gate, threshold=threshold, taught=taught)
