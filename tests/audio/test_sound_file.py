"""Files are heard whole: also those of several parts, without a length, or with a wrong one, and those of FFmpeg."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream.audio import pyav
from stream.audio.libsndfile import count_frames
from stream.audio.sound_file import open_sound_file
from stream.errors import SourceError
from stream.service.offline import classify
from tests.support.encoded import RATE, by_ffmpeg, chunked, encoded, tones, without_xing

FORMS = {"flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"), "mp3": ("MP3", None)}
needs_pyav = pytest.mark.skipif(not pyav.is_installed(), reason="needs the extra `formats`: PyAV")


def write(path: Path, *contents: bytes) -> Path:
    """A file of these, one behind the other."""
    path.write_bytes(b"".join(contents))
    return path


def heard(path: Path, block: int = 5000) -> tuple[np.ndarray, str | None]:
    """All audio of a file, and what is said to be missing."""
    with open_sound_file(path) as file:
        blocks = []
        while len(part := file.read(block)):
            blocks.append(part)
        return np.concatenate(blocks), file.shortfall()


def distance(sound: np.ndarray, other: np.ndarray) -> float:
    """How far two sounds differ, 1 as much as each is loud, at the best of some delays."""
    length = min(len(sound), len(other)) - 4000
    reference = other[2000 : 2000 + length, 0]
    differences = [
        float(np.sqrt(np.mean((sound[2000 + shift : 2000 + shift + length, 0] - reference) ** 2)))
        for shift in range(-1400, 1401, 1)
        if len(sound) >= 2000 + shift + length
    ]
    return min(differences) / float(np.sqrt(np.mean(reference**2)))


@pytest.mark.parametrize("kind", FORMS)
def test_all_parts_of_a_file_are_heard(tmp_path: Path, kind: str) -> None:
    """What a recorder or a web radio writes one after the other is heard to the last part, as each is alone."""
    form, subtype = FORMS[kind]
    rate = 48_000 if kind == "opus" else RATE
    first, second = encoded(tones(1.0, rate), form, subtype, rate), encoded(tones(0.7, rate), form, subtype, rate)
    alone = [heard(write(tmp_path / "a", content))[0] for content in (first, second)]
    assert [len(it) for it in alone] == [rate, round(0.7 * rate)]
    np.testing.assert_allclose(alone[1], soundfile.read(tmp_path / "a", dtype="float32", always_2d=True)[0], atol=1e-6)
    sound, shortfall = heard(write(tmp_path / "a", first, second, first))
    assert shortfall is None
    np.testing.assert_allclose(sound, np.concatenate([*alone, alone[0]]), atol=1e-6)


@pytest.mark.parametrize("kind", FORMS)
def test_a_later_part_may_have_another_form(tmp_path: Path, kind: str) -> None:
    """Another rate and number of channels are converted to those of the first part."""
    form, subtype = FORMS[kind]
    first = encoded(tones(0.5, 48_000), form, subtype, 48_000)
    second = encoded(tones(1.0, 24_000, channels=2), form, subtype, 24_000)
    sound, shortfall = heard(write(tmp_path / "a", first, second))
    assert shortfall is None
    assert sound.shape == (pytest.approx(1.5 * 48_000, abs=10), 1)
    assert distance(sound[24_000:], tones(1.0, 48_000)) < 0.3


def test_an_mp3_that_does_not_say_how_long_it_is(tmp_path: Path) -> None:
    """Of variable bit rate and without a count of its frames it is heard whole, alone and behind itself."""
    loud = tones(3)
    loud[RATE:] *= np.random.default_rng(0).uniform(0, 2, (2 * RATE, 1)).astype(np.float32)  # the second costs more
    content = without_xing(encoded(loud, "VBR"))
    sound, shortfall = heard(write(tmp_path / "a.mp3", content))
    assert shortfall is None
    assert len(sound) / RATE == pytest.approx(3, abs=0.06)
    twice, _ = heard(write(tmp_path / "a.mp3", content, content))
    assert len(twice) / RATE == pytest.approx(6, abs=0.12)


def test_mp3s_that_nothing_divides(tmp_path: Path) -> None:
    """Without tags and counts, too, the next one is heard: in another form, or behind one that says how long it is."""
    counted, stereo = encoded(tones(1), "MP3"), without_xing(encoded(tones(1, 24_000, channels=2), "MP3", None, 24_000))
    for first, second in ((counted, without_xing(counted)), (without_xing(counted), stereo), (counted, stereo)):
        alone = len(heard(write(tmp_path / "a", first))[0]) / RATE
        sound, shortfall = heard(write(tmp_path / "a", first, b"TAG" + bytes(125), second, first))
        assert shortfall is None
        assert len(sound) / RATE == pytest.approx(2 * alone + 1.0, abs=0.15)


def test_an_mp3_is_heard_beyond_a_damaged_frame(tmp_path: Path) -> None:
    """A frame that claims another number of channels ends it for the decoder, but not for us."""
    content = bytearray(without_xing(encoded(tones(3), "MP3")))
    frames = [found.start() for found in re.finditer(re.escape(content[:2]), content)]
    content[frames[len(frames) // 3] + 3] &= 0x3F
    sound, shortfall = heard(write(tmp_path / "a", content))
    assert shortfall is None
    assert len(sound) / RATE == pytest.approx(3.0, abs=0.15)


def test_blocks_of_a_vbr_mp3_are_the_file(tmp_path: Path) -> None:
    """Read block by block a file gives what it gives when it is read at once."""
    loud = np.sin(2 * np.pi * 0.7 * np.arange(4 * RATE) / RATE) > 0
    noise = np.random.default_rng(1).standard_normal(len(loud)) * np.where(loud, 0.1, 0.001)
    path = write(tmp_path / "a.mp3", encoded(noise, "VBR"))
    whole, _ = soundfile.read(path, dtype="float32", always_2d=True)
    np.testing.assert_allclose(heard(path, 441)[0], whole, atol=1e-6)


def test_tags_are_no_audio(tmp_path: Path) -> None:
    """Pictures in front of a part or between two, and tags at the end, change nothing."""
    size = 300_000
    tag = b"ID3\3\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + bytes(size)
    for kind in ("mp3", "flac"):
        content = encoded(tones(1), *FORMS[kind])
        alone, _ = heard(write(tmp_path / "a", content))
        tagged, shortfall = heard(write(tmp_path / "a", tag, content, tag, content, b"TAG" + bytes(125)))
        assert shortfall is None
        np.testing.assert_allclose(tagged, np.concatenate([alone, alone]), atol=1e-6)


LIST = b"LIST" + struct.pack("<I", 10) + b"INFOxxxxxx"


@pytest.mark.parametrize(
    "content",
    {
        "size 0": chunked(tones(1), 0),
        "an old size": chunked(tones(1), 20_000),
        "an odd old size": chunked(tones(1), 20_001),
        "from a pipe": chunked(tones(1), 0xFFFFFFFF, LIST),
        "size 0 behind a list": chunked(tones(1), 0, LIST),
        "a list behind": chunked(tones(1), None, b"", LIST),
        "a list behind that is cut off": chunked(tones(1), None, b"", LIST[:12]),
        "an ID3 tag behind": chunked(tones(1), None, b"", b"ID3\3\0\0\0\0\0\12" + bytes(10)),
        "odd chunks behind": chunked(tones(1), None, LIST, b"abcd" + struct.pack("<I", 3) + b"xyz\0" + LIST),
    }.items(),
    ids=lambda item: item[0],
)  # fmt: skip
def test_a_wav_with_any_size_is_heard_whole(tmp_path: Path, content: tuple[str, bytes]) -> None:
    """A second is heard, to the sample: all audio behind a header that knows less, and no metadata."""
    sound, shortfall = heard(write(tmp_path / "a.wav", content[1]))
    assert shortfall is None
    np.testing.assert_allclose(sound, tones(1), atol=1e-4)


@pytest.mark.parametrize("form", ["AIFF", "W64", "RF64", "AU"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_other_headers_without_sizes(tmp_path: Path, form: str, subtype: str) -> None:
    """Of AIFF, Wave64, RF64 and AU files that were never closed all is heard, too."""
    content = bytearray(encoded(tones(1), form, subtype))
    start, size = {
        "AIFF": (content.find(b"SSND") + 4, 4),
        "W64": (content.find(b"data\xf3") + 16, 8),
        "RF64": (content.find(b"ds64") + 16, 8),
        "AU": (8, 4),
    }[form]
    unfinished = content.copy()
    unfinished[start : start + size] = bytes(size)
    if form == "RF64":
        at = unfinished.find(b"data") + 4
        unfinished[at : at + 4] = bytes(4)
    sound, shortfall = heard(write(tmp_path / "a", unfinished))
    assert shortfall is None
    np.testing.assert_allclose(sound, tones(1), atol=1e-4)


def test_a_wav_of_more_than_4_gib(tmp_path: Path) -> None:
    """A size that has gone round is not believed."""
    path, size = tmp_path / "a.wav", (1 << 32) + 2_000_000
    path.write_bytes(chunked(tones(1), size & 0xFFFFFFFF))
    os.truncate(path, 44 + size)  # zeros that take no room
    with open_sound_file(path) as file:
        assert file.frames == size // 2


def test_wav_files_one_behind_the_other(tmp_path: Path) -> None:
    """They are heard whole, with metadata between them and behind them, and none of their samples is a new value."""
    first, second = tones(0.5), tones(0.3, hertz=300.0)
    path = write(tmp_path / "a.wav", chunked(first, None, b"", LIST), chunked(second, None, LIST, LIST))
    sound, shortfall = heard(path)
    assert shortfall is None
    np.testing.assert_allclose(sound, np.concatenate([first, second]), atol=1e-4)
    assert count_frames(path) is None


def test_flacs_without_a_length_one_behind_the_other(tmp_path: Path) -> None:
    """Both are heard, and nothing is said to be broken."""
    content = bytearray(encoded(tones(1), "FLAC", "PCM_16"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    sound, shortfall = heard(write(tmp_path / "a.flac", content, content))
    assert shortfall is None
    np.testing.assert_allclose(sound, np.concatenate([tones(1), tones(1)]), atol=1e-4)


def test_a_flac_that_does_not_say_how_long_it_is(tmp_path: Path) -> None:
    """Written into a pipe, or by a recorder that was not closed, it is heard whole."""
    content = bytearray(encoded(tones(1), "FLAC"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    sound, shortfall = heard(write(tmp_path / "a.flac", content))
    assert shortfall is None
    np.testing.assert_allclose(sound, tones(1), atol=1e-4)


@pytest.mark.parametrize("how", ["cut", "damaged"])
def test_what_can_be_read_of_a_flac_is_heard(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut or damaged FLAC gives what is before that place, and a line says what is missing."""
    monkeypatch.setattr(pyav, "is_installed", lambda: False)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * RATE, 1)).astype(np.float32)
    content = bytearray(encoded(noise, "FLAC"))
    half = len(content) // 2
    content[half:] = b"" if how == "cut" else bytes(3000) + content[half + 3000 :]
    sound, shortfall = heard(write(tmp_path / "a.flac", content))
    assert 0.9 * RATE < len(sound) <= RATE + 4096
    np.testing.assert_allclose(sound, noise[: len(sound)], atol=1e-4)
    assert re.fullmatch(r"broken after [01]\.\d s: [^;]*; [01]\.\d s of the 2\.0 s are missing", shortfall)


@needs_pyav
@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_damaged_pages_of_an_ogg_are_told(tmp_path: Path, kind: str) -> None:
    """What is on them is left out by the decoders without a word; how much that is stands in the last page."""
    form, subtype = FORMS[kind]
    content = bytearray(encoded(tones(6.0, 48_000), form, subtype, 48_000))
    assert heard(write(tmp_path / "a", content))[1] is None
    content[len(content) // 2] ^= 0xFF
    sound, shortfall = heard(write(tmp_path / "a", content))
    assert 1.0 < len(sound) / 48_000 < 5.8
    told = re.fullmatch(r"damaged after \d\.\d s: pages are damaged; (.*) s of the 6\.0 s are missing", shortfall or "")
    assert told is not None
    assert float(told[1]) == pytest.approx(6.0 - len(sound) / 48_000, abs=0.06)


def test_a_flac_is_heard_beyond_its_damage(tmp_path: Path) -> None:
    """With FFmpeg only what is damaged is left out, and a line says where and how much."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * RATE, 1)).astype(np.float32)
    content = bytearray(encoded(noise, "FLAC"))
    half = len(content) // 2
    content[half : half + 3000] = bytes(3000)
    sound, shortfall = heard(write(tmp_path / "a.flac", content, encoded(tones(1), "FLAC")))
    assert 2.4 * RATE < len(sound) < 3 * RATE
    np.testing.assert_allclose(sound[: RATE // 2], noise[: RATE // 2], atol=1e-4)
    np.testing.assert_allclose(sound[-RATE:], tones(1), atol=1e-4)
    np.testing.assert_allclose(sound[-RATE - 10_000 : -RATE], noise[-10_000:], atol=1e-4)
    assert re.fullmatch(r"damaged after [01]\.\d s: [^;]*; 0\.[1-6] s of the 3\.0 s are missing", str(shortfall))


def test_a_part_that_is_none_is_left_out(tmp_path: Path) -> None:
    """Parts behind one that cannot be opened are heard, and a line says that there was one."""
    good = encoded(tones(0.5), "OGG", "VORBIS")
    sound, shortfall = heard(write(tmp_path / "a.ogg", good, good.replace(b"vorbis", b"nobody"), good))
    assert len(sound) == RATE
    assert re.match(r"broken after 1\.0 s: ", str(shortfall))


def test_a_file_that_is_repeated(tmp_path: Path) -> None:
    """It begins again with its first part, as often as one likes."""
    content = encoded(tones(0.3), "OGG", "VORBIS")
    with open_sound_file(write(tmp_path / "a.ogg", content, content), loop=True) as file:
        rounds = []
        for _ in range(2):
            rounds.append(file.read(RATE))
            file.rewind()
    assert len(rounds[0]) == round(0.6 * RATE)
    np.testing.assert_array_equal(*rounds)


def test_going_onwards_is_reading(tmp_path: Path) -> None:
    """Audio behind what is skipped is that of the whole file."""
    for content in (encoded(tones(1), "WAV"), encoded(tones(1), "OGG", "VORBIS"), encoded(tones(1), "FLAC")):
        path = write(tmp_path / "a", content)
        whole, _ = heard(path)
        with open_sound_file(path) as file:
            assert file.skip(1000) == 1000
            assert file.skip(30_000) == 30_000
            np.testing.assert_array_equal(file.read(500), whole[31_000:31_500])
            assert file.skip(RATE) == RATE - 31_500
            assert not len(file.read(1))


def test_a_file_under_any_name(tmp_path: Path) -> None:
    """The contents say what it is, not the name."""
    for name in ("a.raw", "b.mp3", "c", "d.flac.part"):
        assert len(heard(write(tmp_path / name, encoded(tones(0.2), "WAV")))[0]) == round(0.2 * RATE)


OTHERS = {
    "m4a": ("ipod", "aac", RATE),
    "alac": ("ipod", "alac", RATE),
    "aac": ("adts", "aac", RATE),
    "mov": ("mov", "aac", RATE),
    "webm": ("webm", "libopus", 48_000),
    "caf": ("caf", "alac", RATE),
    "mka": ("matroska", "flac", RATE),
    "ts": ("mpegts", "aac", RATE),
    "wv": ("wv", "wavpack", RATE),
}


@needs_pyav
@pytest.mark.parametrize("kind", OTHERS)
def test_formats_of_ffmpeg_are_heard(tmp_path: Path, kind: str) -> None:
    """Whatever people have is the same audio; where it is cut, a line says so or it is as long as it is."""
    container, codec, rate = OTHERS[kind]
    content = by_ffmpeg([tones(1, rate)], container, codec, rate)
    sound, shortfall = heard(write(tmp_path / "a", content))
    assert shortfall is None
    assert len(sound) / rate == pytest.approx(1, abs=0.07)  # encoders add up to two frames
    assert distance(sound, tones(1, rate)) < 0.1
    assert classify(tmp_path / "a").missing == 0


@needs_pyav
def test_the_audio_of_a_film_is_heard(tmp_path: Path) -> None:
    """Pictures in front do not matter; of several streams the first is heard and named; without one a line says so."""
    first, second = tones(1), tones(1, channels=2, hertz=2000)
    path = write(tmp_path / "a.mp4", by_ffmpeg([first, second], "mp4", "aac", picture=True))
    with open_sound_file(path) as file:
        assert file.remark == "has 2 audio streams; number 1 is heard"
        assert distance(file.read(RATE), first) < 0.1
    write(path, by_ffmpeg([], "mp4", "aac", picture=True))
    with pytest.raises(SourceError, match=r"a\.mp4: holds no audio$"):
        open_sound_file(path)


@needs_pyav
def test_a_cut_file_of_ffmpeg(tmp_path: Path) -> None:
    """Half a file that says how long it is is heard as far as it goes, and told; without its index it is refused."""
    whole = by_ffmpeg([tones(2)], "matroska", "flac")
    sound, shortfall = heard(write(tmp_path / "a.mka", whole[: len(whole) // 2]))
    assert 0.5 < len(sound) / RATE < 1.5
    assert re.search(r"[01]\.\d s of the 2\.\d s are missing$", str(shortfall))
    whole = by_ffmpeg([tones(2)], "ipod", "aac")
    with pytest.raises(SourceError, match=r"a\.m4a: Invalid data"):
        open_sound_file(write(tmp_path / "a.m4a", whole[: len(whole) // 2]))


@needs_pyav
@pytest.mark.parametrize("content", [b"#EXTM3U\n#EXTINF:1,\nb.wav\n", b"ffconcat version 1.0\nfile b.wav\n"])
def test_no_file_leads_to_another(tmp_path: Path, content: bytes) -> None:
    """Lists of files, which FFmpeg would follow, are no audio."""
    write(tmp_path / "b.wav", encoded(tones(1), "WAV"))
    with pytest.raises(SourceError, match="Format not recognised"):
        open_sound_file(write(tmp_path / "a.m3u8", content))


def test_without_the_extra_its_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where FFmpeg is not installed, the line on a file that needs it says how it is."""
    monkeypatch.setattr(pyav, "is_installed", lambda: False)
    path = write(tmp_path / "a.m4a", struct.pack(">I4s4sI", 16, b"ftyp", b"M4A ", 0) + bytes(100))
    with pytest.raises(SourceError, match=r"a\.m4a: Format not recognised; FFmpeg's formats need .*\[formats\]"):
        open_sound_file(path)
