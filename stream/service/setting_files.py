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


def make_recognizer(settings: RecognitionSettings, classifier: Classifier, taught: tuple[Head, ...] = ()) -> Recognizer:
    """Make what recognizes a line."""
    return Recognizer(classifier, hop=settings.hop, lineup=settings.instruments, gate=settings.gate, taught=taught)
