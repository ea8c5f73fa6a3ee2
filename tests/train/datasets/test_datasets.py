"""Data sets: what is a clip, which split it is in, and that no recording is on two sides."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import pickle
import random
import shutil
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("mirdata", reason="needs the train extra")

from stream.errors import ConfigError, SourceError
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from train.datasets.audio_files import AudioFileDataset, count_windows, refuse_validation
from train.datasets.clips import SPLITS, Clip
from train.datasets.folder import read_folder
from train.datasets.labels import INSTRUMENTS, TASKS
from train.datasets.manifest import read_manifest
from train.datasets.medley import STUDY_CLIPS, read_medley
from train.datasets.medley_files import download_medley, verify_checksums
from train.datasets.splits import divide_clips, divide_recordings, seeded_order

# smart_open, which mirdata reads with, tries what clients of clouds it finds.
pytestmark = pytest.mark.filterwarnings("ignore::ImportWarning", "ignore::FutureWarning:google.*")

INDEX = "medley_solos_db_index_1.2.json"
TABLE = "annotation/Medley-solos-DB_metadata.csv"


def sides(clips: Iterable[Clip]) -> dict[str, str]:
    """The one split of each recording."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for clip in clips:
        found[clip.recording].add(clip.split)
    assert all(len(splits) == 1 for splits in found.values()), "a recording is on two sides"
    return {recording: splits.pop() for recording, splits in found.items()}


def counts(data: AudioFileDataset) -> Counter[tuple[str, str]]:
    """Clips by label and split."""
    return Counter((clip.label, clip.split) for clip in data.clips)


def write_tone(path: Path, seconds: float, rate: int = SAMPLE_RATE, channels: int = 1, hertz: float = 440) -> Path:
    """A tone of peak 0.5 in the format that the suffix says."""
    tone = 0.5 * np.sin(2 * np.pi * hertz / rate * np.arange(round(seconds * rate)))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate)
    return path


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    """A CSV table with the columns of its first row."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def one_clip(path: Path, number: int = 0) -> Clip:
    """A clip of a file."""
    return Clip("violin", str(path), "training", "test", "", path, number)


def hear(path: Path, number: int = 0) -> np.ndarray:
    """A window of a file."""
    clip = one_clip(path, number)
    return AudioFileDataset("test", ("violin",), (clip,)).audio(clip)


# Files


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
@pytest.mark.parametrize(("rate", "channels"), [(22_050, 1), (44_100, 2), (48_000, 1), (16_000, 2)])
def test_every_format_and_rate_gives_the_same_clip(tmp_path: Path, suffix: str, rate: int, channels: int) -> None:
    """A tone is the same tone at 22 050 Hz, whatever file it comes from."""
    path = write_tone(tmp_path / f"a.{suffix}", 7, rate, channels)
    window = hear(path, 1)
    assert window.shape == (WINDOW,)
    assert window.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(window * np.hanning(WINDOW)))
    assert np.argmax(spectrum) * SAMPLE_RATE / WINDOW == pytest.approx(440, abs=0.5)
    assert np.sqrt(np.mean(window**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)  # MP3 takes 4 %


def test_windows_of_a_file_follow_each_other(tmp_path: Path) -> None:
    """The windows of a file at the model's rate, one after the other, are its samples."""
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * WINDOW + 40_000).astype(np.float32)
    path = tmp_path / "a.wav"
    soundfile.write(path, sound, SAMPLE_RATE, subtype="FLOAT")
    assert count_windows(path) == 3
    heard = np.concatenate([hear(path, number) for number in range(3)])
    np.testing.assert_array_equal(heard[: len(sound)], sound)
    assert not heard[len(sound) :].any()


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (1, 1),
        (WINDOW, 1),
        (WINDOW + WINDOW // 2 - 1, 1),
        (WINDOW + WINDOW // 2, 2),
        (2 * WINDOW, 2),
        (5 * WINDOW + 1, 5),
    ],
)
def test_last_piece_counts_from_half_a_window(tmp_path: Path, samples: int, expected: int) -> None:
    """What is left of a file is a clip where it is half a window long, or all there is."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.ones(samples) / 2, SAMPLE_RATE)
    assert count_windows(path) == expected


def test_files_without_sound_are_named(tmp_path: Path) -> None:
    """What is missing, corrupt, empty, silent or not finite gives one clip, and one line that names it."""
    rng = np.random.default_rng(0)
    (tmp_path / "noise.wav").write_bytes(rng.bytes(5_000))
    (tmp_path / "text.mp3").write_text("no audio at all")
    (tmp_path / "nothing.ogg").touch()
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "raw.raw").write_bytes(bytes(1_000))
    whole = write_tone(tmp_path / "whole.flac", 3)
    (tmp_path / "cut.flac").write_bytes(whole.read_bytes()[:60])
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), SAMPLE_RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(WINDOW), SAMPLE_RATE)
    soundfile.write(tmp_path / "nan.wav", np.full(WINDOW, np.nan), 44_100, subtype="FLOAT")
    soundfile.write(tmp_path / "inf.wav", np.array([[np.inf, -np.inf]] * WINDOW), 44_100, subtype="FLOAT")
    whole.unlink()
    names = ["gone.wav", *sorted(path.name for path in tmp_path.iterdir())]
    assert len(names) == 11
    for name in names:
        path = tmp_path / name
        assert count_windows(path) == 1
        with pytest.raises(SourceError, match=name) as caught:
            hear(path)
        assert "\n" not in str(caught.value)


def test_window_behind_the_end_is_named(tmp_path: Path) -> None:
    """A window that a file does not reach is an error, not silence."""
    with pytest.raises(SourceError, match=r"a\.wav, window 7 holds no samples"):
        hear(write_tone(tmp_path / "a.wav", 3), 7)


def test_data_set_reaches_worker_processes(tmp_path: Path) -> None:
    """A pickled data set gives the same audio."""
    clip = one_clip(write_tone(tmp_path / "a.wav", 3))
    data = AudioFileDataset("test", ("violin",), (clip,))
    copy = pickle.loads(pickle.dumps(data))
    assert copy == data
    np.testing.assert_array_equal(copy.audio(clip), data.audio(clip))


# Splits

single = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["x", "y", "z"]), st.integers(1, 500), min_size=1, max_size=1),
    max_size=40,
)
several = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["x", "y", "z", "w"]), st.integers(1, 500), min_size=1),
    max_size=25,
)


@settings(deadline=None)
@given(recordings=several, seed=st.integers(0, 9), order=st.randoms(use_true_random=False))
def test_division_is_whole_and_repeatable(
    recordings: Mapping[str, Mapping[str, int]], seed: int, order: random.Random
) -> None:
    """Every recording is in one split, the same one in whatever order recordings are listed."""
    division = divide_recordings(recordings, seed=seed)
    assert division.keys() == recordings.keys()
    assert set(division.values()) <= set(SPLITS)
    listed = list(recordings)
    order.shuffle(listed)
    assert divide_recordings({name: recordings[name] for name in listed}, seed=seed) == division
    clips = [
        Clip(label, name, "training", "", "", Path(name), number)
        for name in listed
        for label, many in recordings[name].items()
        for number in range(min(many, 3))
    ]
    assert len(divide_clips(clips, seed=seed)) == len(clips)
    sides(divide_clips(clips, seed=seed))


@settings(deadline=None)
@given(recordings=single, seed=st.integers(0, 9))
def test_every_label_is_in_every_split_it_can_be_in(recordings: Mapping[str, Mapping[str, int]], seed: int) -> None:
    """A label is in training first, with two recordings in validation, with three in the test too."""
    division = divide_recordings(recordings, seed=seed)
    for label in ("x", "y", "z"):
        carriers = [name for name, carried in recordings.items() if label in carried]
        reached = {division[name] for name in carriers}
        assert reached == set(SPLITS[: len(carriers)])


def test_shares_of_clips_are_near() -> None:
    """With many recordings of any length each label's clips divide 70 : 15 : 15, and as asked otherwise."""
    rng = np.random.default_rng(0)
    recordings = {f"{label} {n}": {label: int(rng.integers(1, 60))} for label in "xyz" for n in range(40)}
    for shares in ((0.7, 0.15, 0.15), (0.5, 0.3, 0.2)):
        division = divide_recordings(recordings, shares=shares)
        for label in "xyz":
            total: Counter[str] = Counter()
            for name, carried in recordings.items():
                total[division[name]] += carried.get(label, 0)
            for split, share in zip(SPLITS, shares, strict=True):
                assert total[split] / total.total() == pytest.approx(share, abs=0.02)


def test_largest_of_three_recordings_trains() -> None:
    """With three recordings the shares decide which one trains, under every seed."""
    recordings = {"long": {"x": 700}, "short": {"x": 150}, "other": {"x": 160}}
    for seed in range(10):
        assert divide_recordings(recordings, seed=seed)["long"] == "training"


def test_seed_changes_the_division() -> None:
    """Another seed draws other recordings."""
    recordings = {str(n): {"x": 1} for n in range(40)}
    assert divide_recordings(recordings, seed=1) != divide_recordings(recordings, seed=2)


def test_label_with_a_single_recording_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """A label that only training can have is named in the log."""
    with caplog.at_level(logging.WARNING):
        assert divide_recordings({"a": {"x": 5}, "b": {"y": 5}, "c": {"y": 5}, "d": {"y": 5}})["a"] == "training"
    assert caplog.messages == ["x has too few recordings (1): none for validation and test"]


# Folder


def class_folder(root: Path) -> Path:
    """Two classes of different files, one recording in both, and what is no audio."""
    for n in range(4):
        write_tone(root / "violin" / f"{n}.flac", 4 + n, 44_100, 2)
        write_tone(root / "flute" / f"{n}.ogg", 9)
    for part in ("a.wav", "disc 2/b.mp3"):
        write_tone(root / "violin" / "evening" / part, 7)
        write_tone(root / "flute" / "evening" / part, 7)
    write_tone(root / "violin" / ".hidden.wav", 3)
    write_tone(root / "violin" / ".cache" / "a.wav", 3)
    write_tone(root / ".trash" / "a.wav", 3)
    (root / "violin" / "notes.txt").write_text("mine")
    (root / "violin" / "broken.wav").write_bytes(b"RIFF")
    (root / "papers").mkdir()
    (root / "papers" / "scores.pdf").touch()
    return root


def test_folder_is_cut_and_split_by_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Files and sub-folders are recordings, one side each; hidden files and what is no audio are left aside."""
    data = read_folder(class_folder(tmp_path / "stage"))
    assert (data.name, data.labels, data.digest) == ("stage", ("flute", "violin"), "")
    assert {clip.path.suffix for clip in data.clips if clip.path} == {".flac", ".ogg", ".wav", ".mp3"}
    assert not [clip for clip in data.clips if "/." in str(clip.path)]
    found = sides(data.clips)
    evening = [clip for clip in data.clips if clip.recording == "folder evening"]
    assert len(evening) == 2 * 2 * 2
    assert {clip.label for clip in evening} == {"flute", "violin"}
    assert {f"file violin/{n}.flac" for n in range(4)} | {f"file flute/{n}.ogg" for n in range(4)} < found.keys()
    assert {(label, split) for label in data.labels for split in SPLITS} == counts(data).keys()
    broken = [clip for clip in data.clips if clip.path and clip.path.name == "broken.wav"]
    assert [clip.number for clip in broken] == [0]
    for clip in data.clips:
        if clip not in broken:
            assert data.audio(clip).shape == (WINDOW,)
    assert "papers holds no audio" in caplog.text


def test_folder_is_the_same_wherever_it_lies(tmp_path: Path) -> None:
    """A copy of a folder is divided as the original is."""
    first = read_folder(class_folder(tmp_path / "stage"), seed=3)
    shutil.copytree(tmp_path / "stage", tmp_path / "copy")
    assert sides(read_folder(tmp_path / "copy", seed=3).clips) == sides(first.clips)


def test_unknown_is_the_last_label(tmp_path: Path) -> None:
    """A folder named unknown gives the label that follows the instruments."""
    for name in ("violin", "unknown", "zither"):
        write_tone(tmp_path / name / "a.wav", 3)
    assert read_folder(tmp_path).labels == ("violin", "zither", "unknown")


def test_folder_without_two_classes_is_refused(tmp_path: Path) -> None:
    """No folder, no audio or a single class is an error that says what was found."""
    with pytest.raises(ConfigError, match="no folder"):
        read_folder(tmp_path / "gone")
    with pytest.raises(ConfigError, match="none does"):
        read_folder(tmp_path)
    write_tone(tmp_path / "violin" / "a.wav", 3)
    with pytest.raises(ConfigError, match="only 'violin' does"):
        read_folder(tmp_path)


# Manifest


def rows_of(**columns: str) -> list[dict[str, str]]:
    """Six rows of two labels, with further columns."""
    return [{"path": f"{n}.wav", "instrument": "violin" if n % 2 else "flute", **columns} for n in range(6)]


@pytest.fixture
def audio_home(tmp_path: Path) -> Path:
    """A folder with the files that `rows_of` names."""
    for n in range(6):
        write_tone(tmp_path / f"{n}.wav", 3 + n)
    return tmp_path


def test_manifest_gives_clips_with_what_it_knows(audio_home: Path) -> None:
    """A row's source and licence are those of all clips that its file is cut to."""
    rows = [row | {"source": f"player {n}", "licence": "CC0"} for n, row in enumerate(rows_of())]
    data = read_manifest(write_table(audio_home / "mine.csv", rows))
    assert (data.name, data.labels) == ("mine", ("flute", "violin"))
    last = [clip for clip in data.clips if clip.recording == "source player 5"]
    assert [clip.number for clip in last] == [0, 1, 2]
    assert (last[0].label, last[0].source, last[0].licence) == ("violin", "player 5", "CC0")
    assert last[0].path == audio_home / "5.wav"
    assert len(sides(data.clips)) == 6


@pytest.mark.parametrize(
    ("columns", "recording"),
    [
        ({"recording": "a", "track_id": "7", "source": "s"}, "recording a"),
        ({"recording": "", "track_id": "7", "source": "s"}, "track 7"),
        ({"source": "s"}, "source s"),
        ({}, "file 0.wav"),
    ],
)
def test_recording_is_the_narrowest_that_a_row_names(audio_home: Path, columns: dict[str, str], recording: str) -> None:
    """What a file is a part of is its recording, else its track, else its source, else itself, on one side."""
    data = read_manifest(write_table(audio_home / "mine.csv", rows_of(**columns)))
    assert data.clips[0].recording == recording
    sides(data.clips)


def test_split_of_a_manifest_is_respected(audio_home: Path) -> None:
    """Where the table gives splits these stand, and a label column may be called label."""
    rows = [{"path": f"{n}.wav", "label": "xy"[n % 2], "track_id": str(n), "subset": SPLITS[n // 2]} for n in range(6)]
    data = read_manifest(write_table(audio_home / "mine.csv", rows))
    assert sides(data.clips) == {f"track {n}": SPLITS[n // 2] for n in range(6)}


def test_manifest_with_a_recording_in_two_splits_is_refused(audio_home: Path) -> None:
    """A recording that the table puts on two sides is named."""
    rows = [row | {"source": "one", "split": SPLITS[n // 3]} for n, row in enumerate(rows_of())]
    with pytest.raises(ConfigError, match="line 5: source one is in validation and in training"):
        read_manifest(write_table(audio_home / "mine.csv", rows))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"path": "../a.wav"}, r"line 8: \.\./a\.wav is outside"),
        ({"path": "/etc/passwd"}, "line 8: /etc/passwd is outside"),
        ({"path": "link.wav"}, r"line 8: link\.wav is outside"),
        ({"path": "sub/../0.wav"}, "stands in line 2 already"),
        ({"path": ""}, "line 8: no path"),
        ({"instrument": " "}, "line 8: no label"),
        ({"split": "train"}, "split 'train', expected one of training, validation, test"),
        ({"split": ""}, "split '', expected"),
    ],
)
def test_bad_row_is_named_by_its_line(
    audio_home: Path, tmp_path_factory: pytest.TempPathFactory, row: dict[str, str], message: str
) -> None:
    """A row that cannot be used stops the reading with its line and what is wrong."""
    (audio_home / "link.wav").symlink_to(write_tone(tmp_path_factory.mktemp("elsewhere") / "a.wav", 3))
    rows = rows_of(split="training")
    table = write_table(audio_home / "mine.csv", [*rows, rows[0] | {"path": "6.wav"} | row])
    with pytest.raises(ConfigError, match=message):
        read_manifest(table)


def test_table_that_is_no_manifest_is_refused(tmp_path: Path) -> None:
    """Missing columns, fields too many, one label and what is no text are each said in one line."""
    table = tmp_path / "mine.csv"
    with pytest.raises(SourceError, match="cannot read"):
        read_manifest(table)
    for text, message in (
        ("", "lacks the column path and instrument or label: its columns are nothing"),
        ("path,name\na,b\n", "lacks the column instrument or label: its columns are path, name"),
        ("path,label\na.wav,x,y\n", "line 2: more fields than columns"),
        ("path,label\na.wav,x\n", "expected two or more labels"),
    ):
        table.write_text(text)
        with pytest.raises(ConfigError, match=message):
            read_manifest(table)
    table.write_bytes(b"path,label\n\xff\xfe,x\n")
    with pytest.raises(SourceError, match="not a CSV table in UTF-8"):
        read_manifest(table)


def test_instruments_of_a_manifest_can_be_chosen(audio_home: Path) -> None:
    """A subset of the labels is taken, rooms never, and what the table lacks is named."""
    rows = [*rows_of(), {"path": "6.wav", "instrument": "drums"}]
    rows.append({"path": "7.wav", "instrument": "room impulse response"})
    table = write_table(audio_home / "mine.csv", rows)
    assert read_manifest(table).labels == ("drums", "flute", "violin")
    assert read_manifest(table, instruments=["violin", "flute"]).labels == ("flute", "violin")
    with pytest.raises(ConfigError, match="no rows of oboe"):
        read_manifest(table, instruments=["violin", "oboe"])


def test_pack_is_split_by_source(shared: Path) -> None:
    """Every source of the pack is on one side, and each of the eight instruments is on all three."""
    data = read_manifest(shared / "training.csv", instruments=INSTRUMENTS)
    assert data.labels == INSTRUMENTS
    assert all(recording.startswith("source ") for recording in sides(data.clips))
    assert counts(data).keys() == {(label, split) for label in INSTRUMENTS for split in SPLITS}
    refuse_validation(data.clips)
    assert data.audio(data.clips[-1]).any()


# The guard


def test_validation_clips_are_never_trained_with(shared: Path, tmp_path: Path) -> None:
    """The real clips are for validation, whatever their table says, through links too, and training refuses them."""
    direct = read_manifest(shared / "validation.csv")
    assert len(direct.clips) == 104
    assert set(sides(direct.clips).values()) == {"validation"}
    for n, clip in enumerate(direct.clips):
        assert clip.path is not None
        link = tmp_path / clip.label / f"{n}.flac"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(clip.path.resolve())
    linked = read_folder(tmp_path)
    assert set(sides(linked.clips).values()) == {"validation"}
    for data in (direct, linked):
        with pytest.raises(ConfigError, match="and 103 more must not be trained with"):
            refuse_validation(data.clips)
    with pytest.raises(ConfigError, match="must not be trained with"):
        refuse_validation([one_clip(tmp_path / "violin" / path.name) for path in (tmp_path / "violin").iterdir()][:1])


def test_validation_folder_that_no_table_lists_is_free(tmp_path: Path) -> None:
    """A folder that is called validation is like any other where no table beside it lists its files."""
    path = write_tone(tmp_path / "validation" / "a.wav", 3)
    refuse_validation([one_clip(path)])
    write_table(tmp_path / "validation.csv", [{"path": "validation/b.wav"}])
    refuse_validation([one_clip(path)])
    write_table(tmp_path / "validation.csv", [{"path": "validation/a.wav"}])
    with pytest.raises(ConfigError, match=r"a\.wav must not be trained with"):
        refuse_validation([one_clip(path)])


# Medley-solos-DB


def write_index(home: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """The index as mirdata has it: the file of each clip with its MD5 checksum."""
    tracks = {}
    for row in rows:
        name = f"audio/Medley-solos-DB_{row['subset']}-{row['instrument_id']}_{row['uuid4']}.wav"
        path = home / name
        checksum = hashlib.md5(path.read_bytes()).hexdigest() if path.exists() else "0" * 32
        tracks[row["uuid4"]] = {"audio": [name, checksum]}
    (home / INDEX).write_text(json.dumps({"version": "1.2", "tracks": tracks}))


@pytest.fixture(scope="session")
def rows(shared: Path) -> list[dict[str, str]]:
    """All rows of the data set's table."""
    with (shared / "Medley-solos-DB_metadata.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def archive(shared: Path, rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 104 real clips laid out as the archive lays them out, with the whole table and an index of the clips."""
    home = tmp_path_factory.mktemp("archive")
    (home / "annotation").mkdir()
    (home / "audio").mkdir()
    shutil.copyfile(shared / "Medley-solos-DB_metadata.csv", home / TABLE)
    for path in (shared / "validation").glob("*.flac"):
        sound, rate = soundfile.read(path, dtype="int16")
        soundfile.write(home / "audio" / f"{path.stem}.wav", sound, rate)
    present = {path.stem.rpartition("_")[2] for path in (home / "audio").iterdir()}
    write_index(home, (row for row in rows if row["uuid4"] in present))
    return home


@pytest.fixture(scope="session")
def whole(archive: Path, rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an index of all 21 571 clips, most of whose files are missing."""
    home = tmp_path_factory.mktemp("whole")
    (home / "annotation").symlink_to(archive / "annotation")
    (home / "audio").symlink_to(archive / "audio")
    write_index(home, rows)
    return home


@pytest.fixture(scope="session")
def published(whole: Path) -> AudioFileDataset:
    """All clips in their official splits."""
    return read_medley(whole)


def test_real_clips_come_through_mirdata(archive: Path, shared: Path) -> None:
    """Clips have label, track, official split and the audio of the file that mirdata names."""
    data = read_medley(archive)
    assert data.labels == INSTRUMENTS
    with (shared / "validation.csv").open(newline="", encoding="utf-8") as file:
        known = {Path(row["path"]).stem: row for row in csv.DictReader(file)}
    assert {clip.path.stem for clip in data.clips if clip.path} == known.keys()
    for clip in data.clips:
        assert clip.path is not None
        row = known[clip.path.stem]
        assert (clip.label, clip.split, clip.number) == (row["instrument"], row["subset"], 0)
        assert (clip.recording, clip.licence) == (f"track {int(row['track_id'])}", "CC BY 4.0")
    clip = data.clips[0]
    np.testing.assert_allclose(data.audio(clip), hear(shared / "validation" / f"{clip.path.stem}.flac"), atol=1e-4)


def test_table_may_call_the_track_a_song(archive: Path, tmp_path: Path) -> None:
    """The column is read under mirdata's name as well as the published one, and the table is left alone."""
    shutil.copytree(archive, tmp_path / "home")
    table = tmp_path / "home" / TABLE
    table.write_text(table.read_text().replace("track_id", "song_id", 1))
    before = table.read_bytes()
    assert [clip.recording for clip in read_medley(tmp_path / "home").clips] == [
        clip.recording for clip in read_medley(archive).clips
    ]
    assert table.read_bytes() == before


def test_official_splits_are_the_published_ones(published: AudioFileDataset, rows: list[dict[str, str]]) -> None:
    """All 21 571 clips are in the splits of the table, and no track is on two sides."""
    assert len(published.clips) == 21_571
    assert Counter(clip.split for clip in published.clips) == {"training": 5_841, "validation": 3_494, "test": 12_236}
    assert counts(published) == Counter((row["instrument"], row["subset"]) for row in rows)
    assert len(sides(published.clips)) == len({row["track_id"] for row in rows})


@pytest.mark.parametrize("task", TASKS)
def test_tasks_of_the_study_name_their_instruments(whole: Path, task: str) -> None:
    """A task has as many labels as its name says, in the data set's order, and clips of no others."""
    data = read_medley(whole, TASKS[task][::-1])
    assert len(data.labels) == int(task)
    assert data.labels == TASKS[task] == tuple(sorted(TASKS[task]))
    assert {clip.label for clip in data.clips} == set(TASKS[task])


@pytest.mark.parametrize("seed", range(3))
def test_study_division_is_balanced_by_track(whole: Path, seed: int) -> None:
    """Each of four instruments trains with 367 clips and validates with 362, by whole tracks."""
    data = read_medley(whole, TASKS["4"], division="study", seed=seed)
    found = counts(data)
    for label in data.labels:
        assert {split: found[label, split] for split in STUDY_CLIPS} == STUDY_CLIPS
        assert found[label, "test"] > 100
    assert sum(clip.split == "training" for clip in data.clips) == 1_468
    sides(data.clips)
    assert len({clip.path for clip in data.clips}) == len(data.clips)


def test_study_division_of_all_instruments_leaves_a_test(whole: Path) -> None:
    """Also an instrument with fewer than 729 clips is in all three splits."""
    data = read_medley(whole, division="study")
    found = counts(data)
    for label in data.labels:
        assert found[label, "training"] > 100
        assert found[label, "validation"] > 100
        assert found[label, "test"] > 20
    sides(data.clips)


def test_cap_and_balance_draw_clips_by_seed(whole: Path, published: AudioFileDataset) -> None:
    """At most so many clips of an instrument and split remain, or as many as the scarcest has; the seed draws them."""
    full = counts(published)
    capped = read_medley(whole, cap=100, seed=1)
    assert counts(capped) == {key: min(many, 100) for key, many in full.items()}
    sides(capped.clips)
    assert read_medley(whole, cap=100, seed=1).clips == capped.clips
    assert read_medley(whole, cap=100, seed=2).clips != capped.clips
    least = {split: min(full[label, split] for label in INSTRUMENTS) for split in SPLITS}
    assert counts(read_medley(whole, balanced=True)) == {key: least[key[1]] for key in full}
    assert set(counts(read_medley(whole, balanced=True, cap=50)).values()) == {29, 50}


def test_order_of_the_index_does_not_matter(whole: Path, tmp_path: Path, rows: list[dict[str, str]]) -> None:
    """What is drawn is the same whatever order the index has."""
    (tmp_path / "annotation").symlink_to(whole / "annotation")
    (tmp_path / "audio").symlink_to((whole / "audio").resolve())
    write_index(tmp_path, reversed(rows))

    def drawn(home: Path) -> list[tuple[str, str]]:
        clips = read_medley(home, TASKS["3"], division="study", cap=200).clips
        return sorted((clip.path.name, clip.split) for clip in clips if clip.path)

    assert drawn(tmp_path) == drawn(whole)


def test_settings_that_mean_nothing_are_refused(archive: Path) -> None:
    """Unknown instruments and divisions, a single instrument and a cap of nothing are named."""
    for settings_, message in (
        ({"instruments": ["violin", "oboe"]}, "no instrument oboe"),
        ({"instruments": ["violin"]}, "expected two or more instruments, got violin"),
        ({"division": "random"}, "division 'random': expected official or study"),
        ({"cap": 0}, "cap 0: expected one clip or more"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_medley(archive, **settings_)


def test_validation_names_missing_and_corrupt_files(archive: Path, tmp_path: Path) -> None:
    """The checksums of mirdata tell which files are not there and which are not the published ones."""
    assert verify_checksums(archive).missing == verify_checksums(archive).corrupt == ()
    home = tmp_path / "home"
    shutil.copytree(archive, home)
    first, second, *_ = sorted((home / "audio").iterdir())
    first.unlink()
    second.write_bytes(second.read_bytes()[:-2])
    found = verify_checksums(home)
    assert (found.files, found.missing, found.corrupt) == (104, (first,), (second,))
    assert str(found) == "102 of 104 files are sound, 1 missing, 1 corrupt"
    data = read_medley(home)
    assert len(data.clips) == 104
    with pytest.raises(SourceError, match=f"cannot read {first}: there is no such file"):
        data.audio(next(clip for clip in data.clips if clip.path == first))


def test_incomplete_home_is_refused_in_one_line(archive: Path, tmp_path: Path) -> None:
    """A home without index, table or audio, or with others, is told apart, and what to do is said."""
    with pytest.raises(SourceError, match=f"no index of Medley-solos-DB, {INDEX}, in {tmp_path} or"):
        read_medley(tmp_path)
    with pytest.raises(SourceError, match="no index of Medley-solos-DB"):
        verify_checksums(tmp_path)
    shutil.copyfile(archive / INDEX, tmp_path / INDEX)
    with pytest.raises(SourceError, match="no table"):
        read_medley(tmp_path)
    (tmp_path / "annotation").mkdir()
    for text in ("", "subset,uuid4\n", "uuid4,subset,instrument,instrument_id,song_id\nx,test,violin,7,1\n"):
        (tmp_path / TABLE).write_text(text)
        with pytest.raises(SourceError, match="is not the table of Medley-solos-DB"):
            read_medley(tmp_path)
    shutil.copyfile(archive / TABLE, tmp_path / TABLE)
    for read in (read_medley, verify_checksums):
        with pytest.raises(SourceError, match=r"no audio of Medley-solos-DB in .*: download it first"):
            read(tmp_path)
    (tmp_path / INDEX).write_text("{")
    with pytest.raises(SourceError, match="is not mirdata's index"):
        read_medley(tmp_path)


@pytest.fixture
def server(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The published files under file addresses, for mirdata to download, and a place of its own for its index."""
    from mirdata import core, download_utils  # under this module's filter of warnings

    served, own = tmp_path / "served", tmp_path / "own"
    served.mkdir()
    own.mkdir()
    shutil.copyfile(archive / TABLE, served / "table.csv")
    shutil.copyfile(archive / INDEX, served / INDEX)
    with tarfile.open(served / "audio.tar.gz", "w:gz", compresslevel=1) as tar:
        for path in (archive / "audio").iterdir():
            tar.add(path, path.name)

    def remote(source: Path, name: str, place: str) -> object:
        checksum = hashlib.md5(source.read_bytes()).hexdigest()
        return download_utils.RemoteFileMetadata(name, source.as_uri(), checksum, place)

    loader = "mirdata.datasets.medley_solos_db"
    remotes = {
        "annotations": remote(served / "table.csv", Path(TABLE).name, "annotation"),
        "audio": remote(served / "audio.tar.gz", "Medley-solos-DB.tar.gz", "audio"),
    }
    index = core.Index(INDEX, (served / INDEX).as_uri(), hashlib.md5((served / INDEX).read_bytes()).hexdigest())
    assert index.remote is not None
    index.indexes_dir = index.remote.destination_dir = str(own)
    monkeypatch.setattr(f"{loader}.REMOTES", remotes)
    monkeypatch.setattr(f"{loader}.INDEXES", {"default": "1.2", "1.2": index})
    return served


@pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter extracted tar archives:DeprecationWarning")
def test_download_makes_a_complete_home(server: Path, archive: Path, tmp_path: Path) -> None:
    """What mirdata downloads is checked, unpacked and read, and the home then holds the index itself."""
    home = tmp_path / "home"
    download_medley(home)
    assert verify_checksums(home).missing == verify_checksums(home).corrupt == ()
    assert (home / INDEX).is_file()
    assert [clip.label for clip in read_medley(home).clips] == [clip.label for clip in read_medley(archive).clips]


def test_download_that_fails_says_why(server: Path, tmp_path: Path) -> None:
    """A wrong checksum and a file that is not there are each one line."""
    (server / "table.csv").write_text("something else")
    with pytest.raises(SourceError, match=r"cannot download Medley-solos-DB to .*checksum") as caught:
        download_medley(tmp_path / "home")
    assert "\n" not in str(caught.value)
    (server / "table.csv").unlink()
    with pytest.raises(SourceError, match=r"cannot download Medley-solos-DB to .*No such file") as caught:
        download_medley(tmp_path / "other")
    assert "\n" not in str(caught.value)


def test_mirdata_leaves_logging_alone(archive: Path) -> None:
    """Reading the data set neither adds handlers to the root logger nor changes its level."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.root.manager.disable
    read_medley(archive)
    verify_checksums(archive)
    assert (root.handlers, root.level, logging.root.manager.disable) == before


def test_chance_keeps_the_order_of_what_stays() -> None:
    """Names that are left out leave the order of the others."""
    names = [str(n) for n in range(50)]
    assert sorted(seeded_order(names, 1)) == sorted(names)
    assert [name for name in seeded_order(names, 1) if int(name) % 2] == seeded_order(names[1::2], 1)
    assert seeded_order(names, 1) != seeded_order(names, 2)
