"""Audio is somebody else's data: each file gives a result or one line, and the others are done all the same.

With SOLOIST_FUZZ=100 a hundred times as many cases are tried.
"""

from __future__ import annotations

import asyncio
import io
import os
import resource
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream.audio import pyav
from stream.audio.converter import Converter
from stream.audio.file_kind import file_kind
from stream.audio.meter import LevelMeter
from stream.audio.pcm import PcmFormat
from stream.audio.raw_pcm import open_pcm_source
from stream.audio.signal_monitor import SignalMonitor
from stream.audio.sound_file import open_file_source, open_sound_file
from stream.errors import SoloistError, SourceError
from stream.recognition.classifier import Classifier
from stream.recognition.mel import SAMPLE_RATE
from stream.recognition.recognizer import Recognizer
from stream.service.offline import FileTimeline, classify
from tests.support.damage import MORE, damaged
from tests.support.encoded import by_ffmpeg
from tests.support.processes import soloist

NOISE = (np.random.default_rng(1).standard_normal(30_000) * 3000).astype("<i2").tobytes()
PCM, FLOAT = 1, 3


def wav(
    data: bytes = NOISE, *, rate: int = 44_100, channels: int = 1, bits: int = 16, form: int = PCM, claimed: int = -1
) -> bytes:
    """A WAV file whose header says what it is told to."""
    align = channels * bits // 8
    length = len(data) if claimed < 0 else claimed
    head = struct.pack("<HHIIHH", form, channels, rate, rate * align & 0xFFFFFFFF, align & 0xFFFF, bits)
    riff = b"RIFF" + struct.pack("<I", min(36 + length, 0xFFFFFFFF)) + b"WAVEfmt " + struct.pack("<I", 16) + head
    return riff + b"data" + struct.pack("<I", length) + data


def filled(value: float, dtype: str = "<f4") -> bytes:
    """A second of one number."""
    return np.full(SAMPLE_RATE, value, dtype).tobytes()


REFUSED = {
    "nothing": (b"", "Format not recognised"),
    "text": (b"hello\n" * 100, "Format not recognised"),
    "no samples": (wav(b""), "holds no audio"),
    "no channels": (wav(channels=0), "Channel count is zero"),
    "2000 channels": (wav(channels=2000), "Too many channels"),
    "1024 channels": (wav(NOISE, channels=1024), "claims 1024 channels; at most 256"),
    "256 channels at 768 kHz": (wav(channels=256, rate=768_000), "claims 256 channels at 768000 Hz"),
    "0 Hz": (wav(rate=0), "incomplete"),
    "1 Hz": (wav(rate=1), "claims a rate of 1 Hz; expected 1000 to 768000"),
    "2^31 Hz": (wav(rate=1 << 31), "incomplete"),
    "2^31 - 1 Hz": (wav(rate=(1 << 31) - 1), "claims a rate of 2147483647 Hz"),
    "0 bits": (wav(bits=0), "format"),
}
HEARD = {
    "1 sample": wav(b"\1\0"),
    "half a sample at the end": wav(NOISE[:-1]),
    "32 channels": wav(channels=32),
    "8 kHz": wav(rate=8_000),
    "192 kHz": wav(rate=192_000),
    "hours that are not there": wav(claimed=0xFFFFFFDB),
    "not a number": wav(filled(float("nan")), rate=SAMPLE_RATE, bits=32, form=FLOAT),
    "infinite": wav(filled(float("-inf")), rate=SAMPLE_RATE, bits=32, form=FLOAT),
    "huge": wav(filled(3e38), rate=SAMPLE_RATE, bits=32, form=FLOAT),
    "huge doubles": wav(filled(1e300, "<f8"), rate=SAMPLE_RATE, bits=64, form=FLOAT),
    "denormal": wav(filled(1e-42), rate=SAMPLE_RATE, bits=32, form=FLOAT),
}


@pytest.fixture(autouse=True)
def limited_memory() -> Iterator[None]:
    """A test fails that takes a gigabyte more of addresses than there were."""
    before = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (before + (1 << 30), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


def check(timeline: FileTimeline) -> None:
    """Whatever was heard, it is told in numbers."""
    assert 0 <= timeline.confidence <= 1
    assert all(0 <= p <= 1 for p in timeline.probabilities.values())
    assert all(s.start <= s.end <= timeline.seconds for s in timeline.segments)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_is_refused(tmp_path: Path, classifier: Classifier, kind: str) -> None:
    """Headers that make no sense are refused in a line that says why."""
    content, said = REFUSED[kind]
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=said) as caught:
        classify(path, classifier)
    assert "\n" not in str(caught.value)
    with pytest.raises(SourceError, match=said):
        open_file_source(path)


@pytest.mark.parametrize("kind", HEARD)
def test_a_file_that_is_odd(tmp_path: Path, classifier: Classifier, kind: str) -> None:
    """Audio that is odd is heard; what is no number is taken as zero, and what is no audio as no number."""
    path = tmp_path / "odd.wav"
    path.write_bytes(HEARD[kind])
    timeline = classify(path, classifier)
    check(timeline)
    assert timeline.seconds < 5
    assert (timeline.invalid == SAMPLE_RATE) == (kind in ("not a number", "infinite", "huge", "huge doubles"))


@pytest.mark.slow
def test_one_bad_file_among_others(tmp_path: Path) -> None:
    """The command does the good ones, says a line for each other one, and ends with 1."""
    good, cut = tmp_path / "good.wav", tmp_path / "cut.flac"
    good.write_bytes(wav())
    soundfile.write(cut, np.frombuffer(NOISE * 4, "<i2"), 22_050)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    mp3 = tmp_path / "head.mp3"
    soundfile.write(mp3, np.frombuffer(NOISE * 4, "<i2"), 22_050)
    mp3.write_bytes(mp3.read_bytes()[:60])
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    bad = [cut, mp3, pipe, tmp_path, Path("/dev/zero"), Path("/dev/null"), tmp_path / "none.wav"]

    code, out, err = asyncio.run(soloist("classify", *map(str, [*bad, good])))
    assert code == 1
    assert "good.wav" in out
    lines = err.splitlines()
    assert len(lines) == len(bad)
    for path, line in zip(bad, lines, strict=True):
        assert line.startswith(f"soloist: {path}: ")


@pytest.mark.parametrize("kind", ["2^31 - 1 Hz", "text", "no samples"])
def test_the_service_refuses_a_bad_file(tmp_path: Path, kind: str) -> None:
    """`soloist run` says one line and ends with 1."""
    path = tmp_path / "odd.wav"
    path.write_bytes(REFUSED[kind][0])
    code, _, err = asyncio.run(soloist("run", "--input", str(path), "--port", "0", "--session-log", "off"))
    assert code == 1
    assert REFUSED[kind][1] in err
    assert len(err.splitlines()) == 1


def test_a_file_too_short_to_be_repeated(tmp_path: Path) -> None:
    """A single sample, repeated for ever, would keep a core busy with nothing."""
    path = tmp_path / "short.wav"
    path.write_bytes(wav(b"\1\0"))
    with pytest.raises(SourceError, match="too short to be repeated"):
        open_file_source(path, loop=True)


@pytest.mark.parametrize("change", ["grows", "shrinks", "is emptied"])
def test_a_file_that_changes_while_it_is_read(tmp_path: Path, change: str) -> None:
    """A file ends where it said that it would, or earlier."""
    path = tmp_path / "live.wav"
    path.write_bytes(wav(NOISE * 20))
    with open_sound_file(path) as sound:
        heard = len(sound.read(1000))
        if change == "grows":
            with path.open("ab") as file:
                file.write(NOISE * 20)
        else:
            os.truncate(path, 100_000 if change == "shrinks" else 0)
        while block := len(sound.read(10_000)):
            heard += block
    assert 1000 <= heard <= 20 * 30_000
    assert (heard == 20 * 30_000) == (change == "grows")


def contents() -> dict[str, bytes]:
    """Half a second of noise in every format."""
    made = {}
    samples = np.random.default_rng(2).standard_normal((11_025, 2)).astype(np.float32) / 10
    for form, subtype in (("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"),
                          ("AIFF", "PCM_24"), ("WAV", "FLOAT"), ("CAF", "ALAC_16"), ("WAV", "MS_ADPCM")):  # fmt: skip
        file = io.BytesIO()
        soundfile.write(file, samples, SAMPLE_RATE, format=form, subtype=subtype)
        made[f"{form} {subtype}"] = file.getvalue()
    made |= {f"{kind}, twice": 2 * made[kind] for kind in ("OGG VORBIS", "FLAC PCM_16", "MP3 MPEG_LAYER_III")}
    if pyav.is_installed():
        for container, codec in (("ipod", "aac"), ("adts", "aac"), ("matroska", "flac"), ("mpegts", "aac")):
            made[f"{container} {codec}"] = by_ffmpeg([samples], container, codec, SAMPLE_RATE)
    return made


CONTENTS = contents()


@pytest.mark.slow
@settings(max_examples=80 * MORE)
@given(kind=st.sampled_from(sorted(CONTENTS)), seed=st.integers(0, 1 << 32))
def test_a_damaged_file(tmp_path_factory: pytest.TempPathFactory, classifier: Classifier, kind: str, seed: int) -> None:
    """Whatever was changed in a file, it is heard or refused, within bounds of time and memory."""
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(damaged(CONTENTS[kind], seed))
    try:
        timeline = classify(path, classifier)
    except SoloistError as error:
        said = str(error)
    else:
        check(timeline)
        said = ""
    assert "\n" not in said


def read_through_pipe(data: bytes, pcm: PcmFormat) -> list[np.ndarray]:
    """What a reader makes of raw audio on a pipe, block by block, without the pace of real time."""
    reading, writing = os.pipe()

    def write_data() -> None:
        with open(writing, "wb") as pipe:
            pipe.write(data)

    async def take() -> list[np.ndarray]:
        reader = open_pcm_source(reading, pcm)
        blocks = []
        while (block := await reader.queue.get()) is not None:
            blocks.append(block.frames)
        reader.close()
        return blocks

    pouring = threading.Thread(target=write_data)
    pouring.start()
    try:
        return asyncio.run(take())
    finally:
        pouring.join()
        os.close(reading)


@settings(max_examples=30 * MORE)
@given(
    data=st.binary(max_size=3000) | st.integers(0, 3000).map(lambda n: b"\xff" * n),
    form=st.sampled_from(["s16le", "f32le"]),
    rate=st.sampled_from([8_000, 44_100, 48_000]),
    channels=st.sampled_from([1, 2, 3, 32, 256]),
)
def test_any_raw_audio(data: bytes, form: str, rate: int, channels: int) -> None:
    """Whole frames are heard, whatever they hold but the first bytes of a file; a rest that is none is left out."""
    assume(file_kind(data) is None)
    pcm = PcmFormat.parse(f"{form}:{rate}:{channels}")
    blocks = read_through_pipe(data, pcm)
    size = np.dtype(pcm.dtype).itemsize * channels
    assert sum(map(len, blocks)) == len(data) // size
    for block in blocks:
        converted = Converter(rate, channels)(block, last=True)
        assert np.isfinite(converted).all()


@pytest.mark.slow
@settings(max_examples=40 * MORE)
@given(
    seed=st.integers(0, 1 << 32),
    kind=st.sampled_from(["bits", "huge", "denormal", "steps", "loudest"]),
    rate=st.sampled_from([1_000, 22_050, 44_100, 768_000]),
    channels=st.sampled_from([1, 2, 32]),
)
def test_any_samples_are_heard(classifier: Classifier, seed: int, kind: str, rate: int, channels: int) -> None:
    """Garbage that looks like audio gives levels, monitor and labels in finite numbers, and no warning."""
    rng = np.random.default_rng(seed)
    shape = (max(1, round(0.4 * rate)), channels)
    made = {
        "bits": lambda: rng.integers(0, 1 << 32, shape, dtype=np.uint32).view(np.float32),
        "huge": lambda: np.full(shape, 3.4e38, np.float32) * rng.choice([-1, 1], shape).astype(np.float32),
        "denormal": lambda: rng.integers(1, 1000, shape, dtype=np.uint32).view(np.float32),
        "steps": lambda: rng.choice([-1.0, 1.0], shape).astype(np.float32),
        "loudest": lambda: rng.choice([-999_999.0, 999_999.0], shape).astype(np.float32),
    }[kind]
    recognizer, converter, meter = Recognizer(classifier), Converter(rate, channels), LevelMeter()
    monitor, end = SignalMonitor(-60.0, False, channels), 0
    for _ in range(3):
        audio = converter(made())
        assert np.isfinite(audio).all()
        end += len(audio)
        monitor.update(*converter.take_levels(), converter.alone)
        assert len(monitor.warnings) < 6
        for level in meter.feed(audio, end, converter.clipped):
            assert np.isfinite([level.rms, level.peak]).all()
        for result in recognizer.feed(audio):
            assert all(0 <= p <= 1 for p in result.estimate.raw.values())
