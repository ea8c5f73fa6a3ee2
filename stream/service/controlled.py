"""What of a running service is needed by whoever changes it for its clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from stream.recognition.classifier import Classifier
    from stream.recognition.recognizer import Recognizer
    from stream.recognition.taught import Head
    from stream.service.events import Events
    from stream.service.line import Line
    from stream.service.lines import Listener
    from stream.settings.lines import LineSettings
    from stream.settings.settings import Settings


class Controlled(Protocol):
    """What is needed of a service that clients change."""

    settings: Settings
    events: Events

    @property
    def line_settings(self) -> Sequence[LineSettings]:
        """What the settings say of each of the lines; nothing where it is one sound."""

    @property
    def source(self) -> tuple[str, int | None]:
        """Name and number of channels of what is heard."""

    @property
    def recognizer(self) -> Recognizer:
        """What recognizes."""

    @property
    def lines(self) -> Sequence[Line]:
        """What is heard one by one."""

    @property
    def classifier(self) -> Classifier:
        """The model that is used now."""

    @property
    def taught(self) -> Sequence[Head]:
        """Names besides the model's."""

    @property
    def time(self) -> float:
        """Stream time, in seconds."""

    def tell_all(self, listener: Listener | None) -> None:
        """Let somebody hear all that the lines hear; nobody with None."""

    def is_wanted(self, kind: str) -> bool:
        """Whether anybody subscribes to a type of message."""

    async def reload(self, settings: Settings | None = None) -> list[str]:
        """Go on with other settings, or with other files."""
