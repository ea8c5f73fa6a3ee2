"""Features of a data set: computed once, kept by content, whatever happens meanwhile."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("tqdm", reason="needs the train extra")
pytest.importorskip("soxr", reason="needs the train extra")

from stream.errors import ConfigError, SourceError
from stream.recognition.mel import SAMPLE_RATE, WINDOW, StreamingMel
from tests.support.extraction_process import Deadly, files, recordings
from tests.support.synthetic_pack import write_sound
from train.datasets import clip_features
from train.datasets.audio_files import AudioFileDataset
from train.datasets.clip_features import decibels
from train.datasets.corpus import Extraction, extract
from train.datasets.feature_cache import FILE_NAME, FeatureCache

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> AudioFileDataset:
    """Some recordings, never changed."""
    return recordings(tmp_path_factory.mktemp("recordings"), 200)


@pytest.fixture(scope="module")
def undisturbed(dataset: AudioFileDataset, tmp_path_factory: pytest.TempPathFactory) -> Extraction:
    """Their features, computed in one go by one process."""
    return extract(dataset, tmp_path_factory.mktemp("undisturbed"), processes=1)


def same(some: Extraction, others: Extraction) -> bool:
    """Whether two extractions have the same clips with the same features, byte for byte."""
    return some.corpora.keys() == others.corpora.keys() and all(
        corpus.digest == other.digest
        and corpus.clips == other.clips
        and np.array_equal(corpus.targets, other.targets)
        and np.array_equal(corpus.features(), other.features())
        for corpus, other in zip(some.corpora.values(), others.corpora.values(), strict=True)
    )


def stored(cache: Path) -> int:
    """Clips that are in a cache, or 0 before it is made."""
    try:
        connection = sqlite3.connect(f"file:{cache / FILE_NAME}?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return 0
    try:
        return int(connection.execute("SELECT count(*) FROM features").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def start(dataset: AudioFileDataset, cache: Path) -> subprocess.Popen[bytes]:
    """Start an extraction with two workers in a process of its own; its output ends when all its processes have."""
    path = dataset.clips[0].path
    assert path
    environment = os.environ | {"PYTHONPATH": str(TESTS.parent)}
    command = [sys.executable, str(TESTS / "support" / "extraction_process.py"), str(path.parent), str(cache)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a process to end, and tell whether it has."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


@pytest.mark.slow
def test_killed_run_is_continued(dataset: AudioFileDataset, undisturbed: Extraction, tmp_path: Path) -> None:
    """A run killed with -9 takes its workers along; the next computes only what is missing, to the same bytes."""
    with start(dataset, tmp_path) as process:
        while stored(tmp_path) < 32:
            assert not wait(process, 0.01), process.stdout.read().decode()
        process.kill()
        process.stdout.read()  # ends when the last worker is gone
    before = stored(tmp_path)
    assert 32 <= before < len(dataset.clips)
    resumed = extract(dataset, tmp_path, processes=2)
    assert resumed.computed == len(dataset.clips) - before
    assert same(resumed, undisturbed)


@pytest.mark.slow
def test_two_runs_share_a_cache(dataset: AudioFileDataset, undisturbed: Extraction, tmp_path: Path) -> None:
    """Two extractions into one cache at once both succeed, and it holds every clip once."""
    with start(dataset, tmp_path) as first, start(dataset, tmp_path) as second:
        for process in (first, second):
            output = process.stdout.read().decode()
            assert process.wait() == 0, output
    assert stored(tmp_path) == len(dataset.clips)
    found = extract(dataset, tmp_path, processes=1)
    assert found.computed == 0
    assert same(found, undisturbed)


def test_number_of_processes_makes_no_difference(
    dataset: AudioFileDataset, undisturbed: Extraction, tmp_path: Path
) -> None:
    """Three processes compute what one does."""
    together = extract(dataset, tmp_path, processes=3)
    assert together.computed == len(dataset.clips)
    assert same(together, undisturbed)


def test_clips_are_described(dataset: AudioFileDataset, undisturbed: Extraction) -> None:
    """Each split's corpus has its clips in the data set's order, with their labels' numbers; an empty one is empty."""
    for split, corpus in undisturbed.corpora.items():
        assert corpus.clips == tuple(clip for clip in dataset.clips if clip.split == split)
        assert [dataset.labels[target] for target in corpus.targets] == [clip.label for clip in corpus.clips]
        assert corpus.features().shape == (len(corpus), 129, 129)
    assert len(undisturbed.corpora["test"]) == 0
    assert undisturbed.corpora["training"].digest != undisturbed.corpora["validation"].digest


def test_features_are_those_of_the_service(dataset: AudioFileDataset, undisturbed: Extraction) -> None:
    """Stored features are the service's of the clip's audio, to half a step of the quantisation."""
    corpus = undisturbed.corpora["training"]
    for row in (0, 17, 40):
        expected = StreamingMel().features(dataset.audio(corpus.clips[row]), WINDOW)
        np.testing.assert_allclose(decibels(corpus.features([row])[0]), expected, atol=80 / 255 / 2 + 1e-3)


def test_rows_come_as_asked(undisturbed: Extraction) -> None:
    """Rows in any order, twice, as a slice, a mask, or none, are the rows of the whole, in other threads as well."""
    corpus = undisturbed.corpora["training"]
    whole = corpus.features()
    orders = [np.random.default_rng(seed).integers(len(corpus), size=64) for seed in range(24)]
    with ThreadPoolExecutor(8) as threads:
        for order, features in zip(orders, threads.map(corpus.features, orders), strict=True):
            np.testing.assert_array_equal(features, whole[order])
    np.testing.assert_array_equal(corpus.features(slice(3, 90, 7)), whole[3:90:7])
    np.testing.assert_array_equal(corpus.features(corpus.targets == 1), whole[corpus.targets == 1])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(corpus)).features([2]), whole[2:3])
    assert corpus.features([]).shape == (0, 129, 129)


def test_known_content_is_not_computed_again(tmp_path: Path) -> None:
    """Neither an unchanged file, nor a copy under another name, nor a content that comes twice."""
    dataset = recordings(tmp_path / "audio", 6)
    cache = tmp_path / "cache"
    first = extract(dataset, cache, processes=1)
    assert extract(dataset, cache, processes=1).computed == 0

    shutil.copytree(tmp_path / "audio", tmp_path / "copy")
    copies = files([replace(clip, path=tmp_path / "copy" / clip.path.name) for clip in dataset.clips])
    copied = extract(copies, cache, processes=1)
    assert copied.computed == 0
    assert copied.corpora["training"].digest == first.corpora["training"].digest
    assert extract(files([*dataset.clips, *copies.clips]), tmp_path / "another", processes=1).computed == 6


def test_changed_content_is_computed_again(tmp_path: Path) -> None:
    """A file that was written again gets its new features; the data digest tells."""
    dataset = recordings(tmp_path / "audio", 6)
    first = extract(dataset, tmp_path / "cache", processes=1)
    write_sound(tmp_path / "audio" / "5.wav", np.random.default_rng(0).uniform(-0.5, 0.5, SAMPLE_RATE // 4))
    second = extract(dataset, tmp_path / "cache", processes=1)
    assert second.computed == 1
    before, after = first.corpora["training"], second.corpora["training"]
    assert before.digest != after.digest
    assert not np.array_equal(before.features(), after.features())


def test_unchanged_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that nobody wrote to are not read again; what was written to is, though it has its old size and time."""
    dataset = recordings(tmp_path / "audio", 4)
    first = extract(dataset, tmp_path / "cache", processes=1)
    read: list[Path] = []
    digest_files = clip_features.digest_files
    monkeypatch.setattr(clip_features, "digest_files", lambda _, paths: read.extend(paths) or digest_files(_, paths))
    assert same(first, extract(dataset, tmp_path / "cache", processes=1))
    assert not read
    changed = dataset.clips[2].path
    status = changed.stat()
    changed.write_bytes(b"?" * status.st_size)
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = extract(dataset, tmp_path / "cache", processes=1)
    assert read == [changed]
    assert [skipped.clip.path for skipped in second.skipped] == [changed]


@pytest.mark.parametrize("processes", [1, 2])
def test_unusable_files_are_named_and_skipped(processes: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Corrupt, empty, missing and silent files are named in a line each, left out, and counted; others are not."""
    caplog.set_level(logging.INFO)
    dataset = recordings(tmp_path, 50)
    (tmp_path / "3.wav").write_bytes(b"RIFF, but nothing that follows")
    (tmp_path / "7.wav").write_bytes(b"")
    (tmp_path / "8.wav").write_bytes(b"")  # the same content, yet a file of its own
    (tmp_path / "11.wav").unlink()
    write_sound(tmp_path / "40.wav", np.random.default_rng(0).normal(0, 1e-4, SAMPLE_RATE))  # -80 dBFS
    for _ in range(2):  # a second run says the same
        caplog.clear()
        extraction = extract(dataset, tmp_path / "cache", processes=processes)
        names = {"3.wav", "7.wav", "8.wav", "11.wav", "40.wav"}
        assert {skipped.clip.path.name for skipped in extraction.skipped} == names
        assert all(str(skipped.clip.path) in skipped.reason for skipped in extraction.skipped)
        assert "silent" in extraction.skipped[-1].reason
        assert sum(map(len, extraction.corpora.values())) == 45
        warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert sorted(warnings) == sorted(
            [f"skipped: {skipped.reason}" for skipped in extraction.skipped] + ["skipped 5 of 50 clips"]
        )
    assert extraction.computed == 0


@pytest.mark.parametrize("processes", [1, 2])
def test_a_channel_taken_alone_is_told(processes: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file whose channels cancel is used by one of them, which the log tells, also from a worker process."""
    dataset = recordings(tmp_path, 4)
    sound = 0.5 * np.sin(np.arange(SAMPLE_RATE) / 20)
    soundfile.write(tmp_path / "2.wav", np.stack([sound, -sound], axis=1), SAMPLE_RATE)
    extraction = extract(dataset, tmp_path / "cache", processes=processes)
    assert not extraction.skipped
    (told,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert told == f"{tmp_path / '2.wav'}: channels 1 and 2 cancel each other: channel 1 alone is taken"


def test_dead_worker_ends_the_run(tmp_path: Path) -> None:
    """A worker process that is killed ends the run with one clear line, and what was done is kept."""
    with pytest.raises(ConfigError, match=r"one of 2 worker processes died.*fewer processes"):
        extract(Deadly(), tmp_path, processes=2)
    assert stored(tmp_path) == 16
    assert extract(Deadly(), tmp_path, processes=1).computed == 64


def test_damaged_cache_is_named(dataset: AudioFileDataset, tmp_path: Path) -> None:
    """A file that is no database, or one that is damaged inside, is named with what to do about it."""
    (tmp_path / FILE_NAME).write_bytes(b"no database " * 1000)
    with pytest.raises(SourceError, match=r"features\.sqlite is damaged .*; delete it"):
        FeatureCache(tmp_path)
    (tmp_path / FILE_NAME).unlink()

    extraction = extract(dataset, tmp_path, processes=1, splits=["validation"])
    extraction.corpora["validation"].cache.close()
    with (tmp_path / FILE_NAME).open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(SourceError, match=r"features\.sqlite is damaged"):
        extract(dataset, tmp_path, processes=1)


def test_lost_clips_are_named(dataset: AudioFileDataset, tmp_path: Path) -> None:
    """Features that somebody deleted while they were in use are missed with a clear line."""
    corpus = extract(dataset, tmp_path, processes=1, splits=["validation"]).corpora["validation"]
    corpus.cache.close()
    (tmp_path / FILE_NAME).unlink()
    FeatureCache(tmp_path)
    with pytest.raises(SourceError, match="has lost clips"):
        corpus.features([0])


def test_impossible_cache_and_number_of_processes_are_refused(dataset: AudioFileDataset, tmp_path: Path) -> None:
    """A cache folder that cannot be made, or holds a folder in the file's place, and no processes get one line."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot make the cache folder"):
        extract(dataset, tmp_path / "file", processes=1)
    (tmp_path / "cache" / FILE_NAME).mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot use the cache"):
        extract(dataset, tmp_path / "cache", processes=1)
    with pytest.raises(ConfigError, match="processes is 0"):
        extract(dataset, tmp_path, processes=0)


def test_cache_is_made_by_many_at_once(tmp_path: Path) -> None:
    """Threads that open a new cache at the same moment wait for each other."""
    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(lambda _: FeatureCache(tmp_path), range(8)))) == 8


def test_workers_need_no_tensorflow() -> None:
    """Importing what workers import brings in neither TensorFlow nor Keras."""
    program = (
        "import sys, train.datasets.corpus, train.compose.composed_clips\n"
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=TESTS.parent, check=False).returncode == 0
