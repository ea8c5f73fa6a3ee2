"""Audio files as FFmpeg reads them, by way of PyAV: all that libsndfile does not know.

PyAV is an extra, and imported when the first such file is opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stream.audio.audio_file import DamageError
from stream.recognition.mel import Array
from stream.system.stderr import quiet_stderr

if TYPE_CHECKING:
    import av
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream

_FORMATS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,loas,asf,caf,mp3,flac,ogg,wav,w64,aiff,au,mpegts,mpeg,avi,flv,amr,ac3,"
    "eac3,dts,ape,wv,tta,tak,mpc,mpc8,dsf,iff,rm,oma,truehd"
)
"""What FFmpeg may take a file for: formats of recordings, none of those that lead to other files and hosts."""
_DECLARING: Final = ("mov", "matroska", "asf", "caf", "wav", "aiff", "avi")
"""Formats whose length is written, not guessed from the first packets."""
_LATE_SECONDS: Final = 0.5  # that a length may differ for what encoders add and players leave out
_SCALES: Final = {"u1": (128, 128.0), "i2": (0, 32768.0), "i4": (0, 2147483648.0), "i8": (0, 9223372036854775808.0)}
"""Offset and full scale of whole numbers."""
_MAX_FAULTS: Final = 1000  # damaged packets one after the other, after which nothing more is expected


def advice() -> str:
    """Say how FFmpeg's formats are added."""
    from stream.system.extras import advise_install  # only here: it is not needed where all is well

    return f"FFmpeg's formats need {advise_install('formats')}"


def is_installed() -> bool:
    """Whether PyAV can be imported."""
    from importlib.util import find_spec

    return find_spec("av") is not None


class PyavPart:
    """The audio of a file, read by FFmpeg; see `stream.audio.audio_file.Part`.

    Parameters
    ----------
    file : file
        Open for reading; closed with the part.
    live : bool
        Whether it is still being written, so that not much of it can be looked at before the first audio is needed.

    Raises
    ------
    ValueError
        When it is nothing that FFmpeg knows, or has no audio.
    """

    def __init__(self, file: Any, live: bool = False) -> None:
        with quiet_stderr():
            import av

            options = {"format_whitelist": _FORMATS, "protocol_whitelist": ""}
            if live:
                options |= {"probesize": "65536", "analyzeduration": "500000"}
            try:
                self._container = av.open(
                    file, metadata_errors="ignore", options=options, buffer_size=4096 if live else 32768
                )
            except av.FFmpegError as error:
                file.close()
                raise ValueError(error.strerror) from error
        self._file = file
        self.frames: int | None = None
        self.rate = self.channels = 0
        self._seconds_read = 0.0
        self._fault: Exception | None = None
        try:
            stream = _chosen(self._container)
            self.remark = _remark(self._container, stream)
            self._declared = _declared_seconds(self._container, stream)
            self._blocks = self._decoded(stream)
            self._rest = np.empty((0, 1), np.float32)
            self._rest = self._next()  # tells the form better than the header
        except ValueError:
            self.close()
            raise

    def read(self, frames: int) -> Array:
        """Read on; see `stream.audio.audio_file.Part`."""
        if not len(self._rest):
            self._rest = self._next()
        block, self._rest = self._rest[:frames], self._rest[frames:]
        if len(block):
            self._seconds_read += len(block) / self.rate
        return block

    def jump(self, frames: int) -> int:
        """Do nothing: FFmpeg goes to the next packet that it knows the place of."""
        return 0

    def _next(self) -> Array:
        with quiet_stderr():
            block = next(self._blocks, self._rest[:0])
        if not len(block) and self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault
        return block

    def close(self) -> None:
        """Give the file back."""
        self._container.close()
        self._file.close()

    def missing(self) -> float:
        """Seconds that are missing of what the file declares."""
        seconds = (self._declared or 0.0) - self._seconds_read
        return seconds if seconds > _LATE_SECONDS else 0.0

    def _decoded(self, stream: AudioStream) -> Iterator[Array]:
        """Decode; damaged packets are left out."""
        import av

        faults, packets = 0, self._container.demux(stream)
        while faults < _MAX_FAULTS:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
            except (av.FFmpegError, OSError) as error:
                self._fault = self._fault or DamageError(str(error.strerror), self._seconds_read)
                return
            try:
                decoded = packet.decode()
            except av.FFmpegError as error:
                faults += 1
                self._fault = self._fault or ValueError(f"{error.strerror}")
                continue
            faults = 0
            for frame in decoded:
                if frame.samples:
                    yield self._floats(frame)

    def _floats(self, frame: AudioFrame) -> Array:
        """Return the samples of a frame, and take note of its rate and channels."""
        self.rate, self.channels = frame.sample_rate, frame.layout.nb_channels
        samples = frame.to_ndarray()
        samples = samples.T if frame.format.is_planar else samples.reshape(-1, self.channels)
        offset, scale = _SCALES.get(samples.dtype.str[1:], (0, 1.0))
        converted: Array = samples.astype(np.float32)
        if scale != 1:
            converted = (converted - np.float32(offset)) / np.float32(scale)
        return converted


def _chosen(container: av.container.InputContainer) -> AudioStream:
    """Return the stream that the file marks as the default one, or the first."""
    streams = list(container.streams.audio)
    if not streams:
        raise ValueError("holds no audio")
    from av.stream import Disposition

    chosen = next((it for it in streams if it.disposition & Disposition.default), streams[0])
    if chosen.codec_context is None:
        raise ValueError("holds audio that cannot be decoded")
    return chosen


def _remark(container: av.container.InputContainer, stream: AudioStream) -> str | None:
    streams = list(container.streams.audio)
    if len(streams) == 1:
        return None
    words = [stream.metadata.get("title"), stream.metadata.get("language")]
    title = " ".join(word for word in words if word and word != "und")
    called = f", {' '.join(title.split())}," if title else ""
    return f"has {len(streams)} audio streams; number {streams.index(stream) + 1}{called} is heard"


def _declared_seconds(container: av.container.InputContainer, stream: AudioStream) -> float | None:
    """Length of the stream by the file, None where it does not say."""
    if not container.format.name.startswith(_DECLARING):
        return None
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if found := re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, found.groups())
        return 3600 * hours + 60 * minutes + seconds
    if len(container.streams) == 1 and container.duration:
        return container.duration / 1_000_000
    return None
