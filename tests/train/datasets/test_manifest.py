"""A table of audio files as a data set, and the files that nothing may be trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tqdm", reason="needs the train extra")

from stream.errors import ConfigError, SourceError
from tests.support.data_set_files import counts, one_clip, sides, write_table, write_tone
from train.datasets.audio_files import refuse_validation
from train.datasets.clips import SPLITS
from train.datasets.folder import read_folder
from train.datasets.labels import INSTRUMENTS
from train.datasets.manifest import read_manifest


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
    data = read_manifest(write_table(audio_home / "mine.csv", rows_of(**columns))).divided()
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


@pytest.mark.slow
def test_pack_is_split_by_source(shared: Path) -> None:
    """Every source of the pack is on one side, and each of the eight instruments is on all three."""
    data = read_manifest(shared / "training.csv", instruments=INSTRUMENTS).divided()
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
    linked = read_folder(tmp_path).divided()
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
