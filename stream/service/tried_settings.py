"""The settings of a running service as its clients choose them: tried, kept in the file, or discarded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from stream.audio.offered import OfferedDevice, offered_devices
from stream.errors import ProtocolError, SoloistError
from stream.protocol.control import TrySettings
from stream.protocol.messages import DeviceChoice, LineValues, SettingChoices, SettingsNow, SettingValues
from stream.recognition.bundle import Bundle, shipped_names
from stream.service.controlled import Controlled
from stream.settings.choice import CHOSEN, choose, different, limits, with_those_of
from stream.settings.lines import TABLE
from stream.settings.reading import Reading, in_short
from stream.settings.settings import Settings, declared
from stream.system.names import join_names
from stream.system.worker import Worker

_NO_FILE: Final = (
    "there is no file to keep settings in: soloist config example > soloist.toml makes one, and "
    "soloist run --config soloist.toml uses it"
)

_log = logging.getLogger(__name__)


class TriedSettings:
    """Changes the settings of a service that runs, and writes them down.

    What flags, variables and the file say is read anew for each answer: somebody may edit the file meanwhile.

    Parameters
    ----------
    service : Controlled
    read : callable, optional
        Reads what flags, variables and the file say now.
    """

    def __init__(self, service: Controlled, read: Callable[[], Reading] | None) -> None:
        self._service = service
        self._first = service.settings
        self._read = read
        self._worker = Worker("tried settings")
        self._devices: list[OfferedDevice] = []
        self._one_by_one = asyncio.Lock()

    async def look(self) -> SettingsNow:
        """Tell the settings, and the devices that there are now."""
        message = None
        if self._service.settings.audio.input == "mic":
            try:
                self._devices = await self._worker.submit(offered_devices)
            except SoloistError as error:
                message = str(error)
        return await self.now(message)

    async def now(self, message: str | None = None) -> SettingsNow:
        """Tell the settings, with what should be known of what was just done."""
        reading = await self._said()
        service = self._service
        settings = service.settings
        said = self._first if reading is None else reading.settings
        if reading is not None and reading.problems:
            message = message or in_short(reading.problems)
        values = {name: declared()[name].of(settings) for name in CHOSEN}
        return SettingsNow(
            values=SettingValues(**values),
            tried=different(settings, said),
            decided={} if reading is None else _decided(reading),
            file=None if reading is None or reading.file is None else str(reading.file),
            choices=self._choices(said),
            message=message,
            lines=[
                LineValues(it.name, it.channels, it.instruments, it.gate, it.gain, it.threshold)
                for it in service.line_settings
            ],
        )

    async def attempt(self, request: TrySettings) -> SettingsNow:
        """Go on with other settings.

        Raises
        ------
        ProtocolError
            When something cannot be used; then nothing changes.
        """
        service = self._service
        async with self._one_by_one:
            reading = await self._said()
            said = self._first if reading is None else reading.settings
            models = {*shipped_names(), service.settings.recognition.model, said.recognition.model}
            try:
                settings = choose(service.settings, service.line_settings, request.values, request.lines, models)
                await service.reload(settings)
            except SoloistError as error:
                raise _impossible(str(error)) from error
            return await self.now()

    async def keep(self) -> SettingsNow:
        """Write what is tried into the file.

        Raises
        ------
        ProtocolError
            When there is no file, or it cannot be written; then it is as it was.
        """
        async with self._one_by_one:
            return await self._keep()

    async def _keep(self) -> SettingsNow:
        reading = await self._said()
        if reading is None or reading.file is None:
            raise _impossible(_NO_FILE)
        if reading.problems:
            raise _impossible(f"the file has a mistake, which has to be mended first: {in_short(reading.problems)}")
        service = self._service
        settings, decided = service.settings, _decided(reading)
        tried = different(settings, reading.settings)
        kept = [name for name in tried if name not in decided]
        left = [f"{name} ({decided[name]} decides it at the next start)" for name in tried if name in decided]
        if left and not kept:
            raise _impossible(f"not kept: {join_names(left)}")
        if kept:
            from stream.settings.toml_writer import write  # with what it takes to write TOML

            values = {name: declared()[name].of(settings) for name in kept if name != TABLE}
            lines = tuple(service.line_settings) if TABLE in kept else None
            try:
                await self._worker.submit(write, reading.file, values, lines)
            except SoloistError as error:
                raise _impossible(str(error)) from error
            _log.info("settings written into %s: %s", reading.file, join_names(kept))
        return await self.now(f"not kept: {join_names(left)}" if left else None)

    async def discard(self) -> SettingsNow:
        """Return to what flags, variables and the file say.

        Raises
        ------
        ProtocolError
            When that cannot be used; then nothing changes.
        """
        async with self._one_by_one:
            reading = await self._said()
            if reading is not None and reading.problems:
                raise _impossible(in_short(reading.problems))
            said = self._first if reading is None else reading.settings
            try:
                await self._service.reload(with_those_of(self._service.settings, said))
            except SoloistError as error:
                raise _impossible(str(error)) from error
            return await self.now()

    def close(self) -> None:
        """Let the thread end."""
        self._worker.close()

    async def _said(self) -> Reading | None:
        """Read what flags, variables and the file say; None where nobody can."""
        return None if self._read is None else await self._worker.submit(self._read)

    def _choices(self, said: Settings) -> SettingChoices:
        service = self._service
        settings, (source, channels) = service.settings, service.source
        devices = None
        if settings.audio.input == "mic":
            devices = [DeviceChoice(*it) for it in self._devices]
            if channels is not None and all(it.name != source for it in devices):  # busy, with us
                devices.insert(0, DeviceChoice(source, channels, settings.audio.device is None))
        models = sorted({*shipped_names(), settings.recognition.model, said.recognition.model})
        bundle: Bundle = service.classifier.bundle
        return SettingChoices(
            devices=devices,
            channels=channels,
            models=models,
            labels=service.recognizer.instruments,
            usual=bundle.lineup or bundle.instruments,
            limits={name: list(limit) for name, limit in limits().items()},
        )


def _decided(reading: Reading) -> dict[str, str]:
    """Return by which flag or variable each setting is decided that can be chosen, where it is not by the file."""
    found: dict[str, str] = {
        name: reading.origins[name] for name in CHOSEN if name in reading.origins and reading.keys.get(name) is None
    }
    return found if reading.lines_from is None else {**found, TABLE: reading.lines_from}


def _impossible(message: str) -> ProtocolError:
    return ProtocolError("not-possible", message)
