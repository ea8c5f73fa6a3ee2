"""Medley-solos-DB as mirdata lays it out: its clips, its divisions, its download and its check."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("mirdata", reason="needs the study extra")

from stream.errors import ConfigError, SourceError
from tests.support.data_set_files import counts, hear, sides
from train.datasets import medley
from train.datasets.audio_files import AudioFileDataset
from train.datasets.clips import SPLITS
from train.datasets.labels import INSTRUMENTS, TASKS
from train.datasets.medley import STUDY_CLIPS, read_medley
from train.datasets.medley_files import download_medley, verify_checksums

# smart_open, which mirdata reads with, tries what clients of clouds it finds.
pytestmark = pytest.mark.filterwarnings("ignore::ImportWarning", "ignore::FutureWarning:google.*")

INDEX = "medley_solos_db_index_1.2.json"
TABLE = "annotation/Medley-solos-DB_metadata.csv"


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


@pytest.fixture(scope="module")
def whole(archive: Path, rows: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same with an index of all 21 571 clips, most of whose files are missing; mirdata reads it once for all."""
    home = tmp_path_factory.mktemp("whole")
    (home / "annotation").symlink_to(archive / "annotation")
    (home / "audio").symlink_to(archive / "audio")
    write_index(home, rows)
    read = medley.read_official_clips
    clips = read(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(medley, "read_official_clips", lambda of: clips if of == home else read(of))
        yield home


@pytest.fixture(scope="module")
def official(whole: Path) -> AudioFileDataset:
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


@pytest.mark.slow
def test_official_splits_are_the_published_ones(official: AudioFileDataset, rows: list[dict[str, str]]) -> None:
    """All 21 571 clips are in the splits of the table, and no track is on two sides."""
    assert len(official.clips) == 21_571
    assert Counter(clip.split for clip in official.clips) == {"training": 5_841, "validation": 3_494, "test": 12_236}
    assert counts(official) == Counter((row["instrument"], row["subset"]) for row in rows)
    assert len(sides(official.clips)) == len({row["track_id"] for row in rows})


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_tasks_of_the_study_name_their_instruments(whole: Path, task: str) -> None:
    """A task has as many labels as its name says, in the data set's order, and clips of no others."""
    data = read_medley(whole, TASKS[task][::-1])
    assert len(data.labels) == int(task)
    assert data.labels == TASKS[task] == tuple(sorted(TASKS[task]))
    assert {clip.label for clip in data.clips} == set(TASKS[task])


@pytest.mark.slow
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


@pytest.mark.slow
def test_study_division_of_all_instruments_leaves_a_test(whole: Path) -> None:
    """Also an instrument with fewer than 729 clips is in all three splits."""
    data = read_medley(whole, division="study")
    found = counts(data)
    for label in data.labels:
        assert found[label, "training"] > 100
        assert found[label, "validation"] > 100
        assert found[label, "test"] > 20
    sides(data.clips)


@pytest.mark.slow
def test_cap_and_balance_draw_clips_by_seed(whole: Path, official: AudioFileDataset) -> None:
    """At most so many clips of an instrument and split remain, or as many as the scarcest has; the seed draws them."""
    full = counts(official)
    capped = read_medley(whole, cap=100, seed=1)
    assert counts(capped) == {key: min(many, 100) for key, many in full.items()}
    sides(capped.clips)
    assert read_medley(whole, cap=100, seed=1).clips == capped.clips
    assert read_medley(whole, cap=100, seed=2).clips != capped.clips
    least = {split: min(full[label, split] for label in INSTRUMENTS) for split in SPLITS}
    assert counts(read_medley(whole, balanced=True)) == {key: least[key[1]] for key in full}
    assert set(counts(read_medley(whole, balanced=True, cap=50)).values()) == {29, 50}


@pytest.mark.slow
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
