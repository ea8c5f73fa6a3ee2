"""The session log of a running service: written as the settings say, anew when they change."""

from __future__ import annotations

import os
from pathlib import Path

from stream.audio.settings import AudioSettings
from stream.protocol.messages import Guess, Hello, Label, Mark, Outage, Segment
from stream.service.events import Event, Hop, OfLine
from stream.session_log.session_log import SessionLog
from stream.session_log.settings import SessionLogSettings


class SessionLogging:
    """Writes down what happens, where there is to be a log."""

    def __init__(self) -> None:
        self._log: SessionLog | None = None
        self._port: int | None = None

    @property
    def fault(self) -> str | None:
        """Why the log is not written now and what to do about it, in one line."""
        return None if self._log is None else self._log.fault

    @property
    def state(self) -> str | None:
        """`written`, or why it is not; None where there is no log."""
        return None if self._log is None else self._log.fault or "written"

    @property
    def written(self) -> int:
        """Events that are on the disk."""
        return 0 if self._log is None else self._log.written

    @property
    def missed(self) -> int:
        """Events that are lost, because the log could not be written for too long."""
        return 0 if self._log is None else self._log.missed

    def open(self, settings: SessionLogSettings, audio: AudioSettings, port: int | None = None) -> Path | None:
        """Write the log that the settings name from now on.

        The demo is not worth keeping beside what was heard of musicians: it is written only into a file that is named.

        Parameters
        ----------
        settings : SessionLogSettings
        audio : AudioSettings
        port : int, optional
            That the service listens on; the one of before without it.

        Returns
        -------
        Path or None
            Its file, if there is to be a log and the file was there before: then it can be read.
        """
        self.close()  # two may not write one file
        self._port = port or self._port
        if settings.is_off or (audio.input == "demo" and settings.file is None):
            return None
        path = settings.path(os.environ)
        is_old = os.path.exists(path)  # one that is being made cannot be read yet
        self._log = SessionLog(path, settings.days, settings.megabytes * 2**20, channel=audio.channel, port=self._port)
        return path if is_old else None

    def take(self, event: Event) -> None:
        """Write down an event, if it is one that a log holds."""
        if self._log is None:
            return
        match event:
            case Hop():
                for message in (event.segment, event.guess, event.change, event.label):
                    if message is not None:
                        self._log.add(message)
            case OfLine(_, Hop(segment=segment, guess=guess)):
                for closed in (segment, guess):
                    if closed is not None:
                        self._log.add_of_line(closed)
            case OfLine(_, (Segment() | Guess()) as closed):
                self._log.add_of_line(closed)
            case Hello() | Segment() | Guess() | Outage() | Mark() | Label():
                self._log.add(event)
            case _:
                pass

    def close(self) -> None:
        """Write what is left."""
        if self._log is not None:
            self._log.close()
            self._log = None
