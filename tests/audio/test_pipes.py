"""What comes through a pipe is heard as the file that it is, or as raw audio in the form that was said."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from stream.audio import pyav
from stream.audio.audio_file import AudioFile
from stream.audio.file_kind import file_kind, find_frames, may_be_file
from stream.audio.pcm import PcmFormat
from stream.audio.raw_pcm import open_pcm_source
from stream.audio.sound_file import open_sound_file
from stream.errors import SourceError
from tests.support.encoded import RATE, by_ffmpeg, chunked, encoded, tones

PCM = PcmFormat.parse("s16le:22050:2")
SOUND = tones(0.3)
CONTENTS = {
    "WAV": encoded(SOUND, "WAV"),
    "WAV of 24 bits": encoded(SOUND, "WAV", "PCM_24"),
    "WAV without a length": chunked(SOUND, 0xFFFFFFFF, b"LIST\4\0\0\0abcd"),
    "WAV with a list behind": chunked(SOUND, None, b"", b"LIST\4\0\0\0abcd"),
    "WAV of another coding": encoded(SOUND, "WAV", "MS_ADPCM"),
    "FLAC": encoded(SOUND, "FLAC"),
    "Ogg, twice": 2 * encoded(SOUND, "OGG", "VORBIS"),
    "FLAC, twice": 2 * encoded(SOUND, "FLAC"),
    "MP3": encoded(SOUND, "MP3"),
    "MP3 behind a tag": b"ID3\3\0\0\0\0\x20\0" + bytes(0x20 << 7) + encoded(SOUND, "VBR"),
    "AIFF": encoded(SOUND, "AIFF"),
}
OTHERS = {"m4a": ("ipod", "aac"), "aac": ("adts", "aac"), "mka": ("matroska", "flac"), "caf": ("caf", "alac")}
needs_pyav = pytest.mark.skipif(not pyav.is_installed(), reason="needs the extra `formats`: PyAV")


@contextmanager
def piped(*pieces: bytes) -> Iterator[int]:
    """A pipe into which pieces are written, one after the other."""
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb", buffering=0) as pipe:
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[pipe.write(view) :]

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield reading
    finally:
        os.close(reading)
        thread.join()


def played(*pieces: bytes, pcm: PcmFormat = PCM) -> tuple[np.ndarray, int]:
    """What the service hears of a pipe, and its rate."""

    async def take() -> tuple[np.ndarray, int]:
        with piped(*pieces) as reading:
            source = open_pcm_source(reading, pcm)
            blocks = []
            while (block := await source.queue.get()) is not None:
                blocks.append(block.frames)
            return np.concatenate(blocks), source.rate

    return asyncio.run(take())


def read(file: AudioFile) -> np.ndarray:
    """All of a file."""
    with file:
        return file.read(10 * RATE)


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_file_in_a_pipe_is_decoded(tmp_path: Path, kind: str) -> None:
    """The service, and who reads a pipe as fast as it comes, hear what is in the file."""
    path = tmp_path / "a"
    path.write_bytes(CONTENTS[kind])
    expected = read(open_sound_file(path))
    sound, rate = played(CONTENTS[kind][:7], CONTENTS[kind][7:])
    assert rate == RATE
    np.testing.assert_allclose(sound, expected, atol=1e-6)
    with piped(CONTENTS[kind]) as reading:
        file = open_sound_file(f"/dev/fd/{reading}")
        np.testing.assert_allclose(read(file), expected, atol=1e-6)
        assert file.shortfall() is None


@needs_pyav
@pytest.mark.parametrize("kind", OTHERS)
def test_other_formats_in_a_pipe(tmp_path: Path, kind: str) -> None:
    """Also those that cannot be read without their end."""
    content = by_ffmpeg([SOUND], *OTHERS[kind])
    path = tmp_path / "a"
    path.write_bytes(content)
    expected = read(open_sound_file(path))
    with piped(content) as reading:
        np.testing.assert_allclose(read(open_sound_file(f"/dev/fd/{reading}")), expected, atol=1e-6)
    if kind != "caf":
        np.testing.assert_allclose(played(content)[0], expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["m4a", "mka"])
def test_without_the_extra_a_format_is_told(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A format that only FFmpeg reads is no noise: the service says what to install."""
    monkeypatch.setattr(pyav, "is_installed", lambda: False)
    content = {"m4a": b"\0\0\0\x20ftypM4A ", "mka": b"\x1a\x45\xdf\xa3"}[kind] + bytes(5000)
    with pytest.raises(SourceError, match=r"standard input: .*need .*\[formats\]"):
        played(content)


@pytest.mark.parametrize("form", ["s16le", "s24le", "s32le", "f32le"])
def test_raw_audio_of_any_width(form: str) -> None:
    """Samples are what was written, loudest and most quiet, and a rest that is no frame is left out."""
    numbers = np.array([[-1.0, 0.5], [0.0, -(2.0**-15)], [0.25, 1 - 2.0**-15]])
    data = {
        "s16le": (numbers * (1 << 15)).astype("<i2").tobytes(),
        "s24le": b"".join(int(it * (1 << 23)).to_bytes(3, "little", signed=True) for it in numbers.ravel()),
        "s32le": (numbers * (1 << 31)).astype("<i4").tobytes(),
        "f32le": numbers.astype("<f4").tobytes(),
    }[form]
    sound, rate = played(data[:5], data[5:] + b"\1", pcm=PcmFormat.parse(f"{form}:48000:2"))
    assert rate == 48_000
    np.testing.assert_array_equal(sound, numbers.astype(np.float32))


def test_raw_audio_is_not_taken_for_a_file() -> None:
    """Noise, silence, and samples that begin as MP3 and AAC frames do, are raw audio."""
    rng = np.random.default_rng(0)
    for start in (b"", b"\xff\xfb\x90\x00", b"\xff\xf1\x50\x80\x02\x00", b"RIFF", b"OggX", bytes(8)):
        for _ in range(200):
            head = (start + rng.bytes(5000))[:5000]
            assert file_kind(head) is None
            assert not may_be_file(head)
            assert find_frames(head) is None
    assert not may_be_file(bytes(8))
    assert may_be_file(b"RIF")


@pytest.mark.parametrize("kind", ["mp3", pytest.param("aac", marks=needs_pyav)])
def test_a_web_radio_that_begins_within_a_frame(kind: str) -> None:
    """What is in front of the first whole frame is left out, and the rest is decoded."""
    sound = tones(1)
    content = encoded(sound, "MP3") if kind == "mp3" else by_ffmpeg([sound], "adts", "aac")
    heard, rate = played(content[700:1500], content[1500:])
    assert rate == RATE
    assert len(heard) / RATE == pytest.approx(1, abs=0.15)
    assert float(np.sqrt(np.mean(heard**2))) == pytest.approx(0.4 / np.sqrt(2), rel=0.15)


def test_a_pipe_that_brings_nothing() -> None:
    """Where nobody writes, or no audio comes, there is a line."""
    with piped() as reading, pytest.raises(SourceError, match=rf"/dev/fd/{reading}: nothing comes from there$"):
        open_sound_file(f"/dev/fd/{reading}")
    with piped(b"hello\n" * 100) as reading, pytest.raises(SourceError, match="Format not recognised"):
        open_sound_file(f"/dev/fd/{reading}")
