"""How `soloist classify` writes what it heard."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream.__main__ import main
from stream.cli import command_line
from stream.cli.classify import as_audacity, as_csv, as_json, as_text, csv_head
from stream.errors import ConfigError
from stream.recognition.classifier import Classifier
from stream.recognition.mel import Array
from stream.recognition.results import Stretch
from stream.service.offline import FileTimeline, Total, classify
from stream.session_log import file_formats
from stream.session_log.reader import Record
from tests.support import tiny

EVENING = (
    Stretch(0.0, 12.5, "instrument", "violin", 0.9),
    Stretch(12.5, 15.0, "unknown", None, 0.06),
    Stretch(15.0, 35.0, "instrument", "flute", 0.8125),
    Stretch(35.0, 40.0, "instrument", "violin", 0.7),
    Stretch(40.0, 50.0, "silence", None, 0.0),
)


def timeline(*segments: Stretch, file: str = "evening.flac") -> FileTimeline:
    """Return what was heard of a file, in which no instrument prevails."""
    return FileTimeline(
        file,
        segments[-1].end if segments else 1.0,
        "unknown",
        0.06,
        {"flute": 0.4, "violin": 0.35},
        list(segments),
        clipped=False,
        over=0.0,
        alone=[],
        invalid=0,
        missing=math.nan,
    )


def test_a_file_is_summed_up_by_how_long_each_label_is_heard() -> None:
    """Seconds and share of each label come first, the longest at the top, and make up the whole file."""
    told = timeline(*EVENING)
    assert told.totals == [
        Total("flute", 20.0, 0.4),
        Total("violin", 17.5, 0.35),
        Total("silence", 10.0, 0.2),
        Total("unknown", 2.5, 0.05),
    ]
    headline, *rows = as_text(told).splitlines()
    assert headline == "evening.flac: 0:50.00"
    assert rows[0].split() == ["flute", "0:20.00", "40%", "of", "the", "time"]
    assert [row.split()[0] for row in rows[:4]] == ["flute", "violin", "silence", "unknown"]
    assert rows[5].split() == ["0:00.00", "-", "0:12.50", "violin", "90%"]


def test_json_has_the_mean_over_the_windows_and_the_totals() -> None:
    """The fields of before stay what they are, and the totals come besides."""
    told = json.loads(as_json(timeline(*EVENING)))
    assert (told["label"], told["confidence"], told["probabilities"]) == (
        "unknown",
        0.06,
        {"flute": 0.4, "violin": 0.35},
    )
    assert told["totals"][0] == {"label": "flute", "seconds": 20.0, "share": 0.4}
    assert sum(total["share"] for total in told["totals"]) == pytest.approx(1)


def test_a_csv_file_holds_several_files() -> None:
    """One head, then a row for each segment with its file; no name is a formula, or breaks out of its cell."""
    names = ['a, "b".wav', "=HYPERLINK(1).wav", "two\nlines.wav"]
    text = csv_head() + "".join(as_csv(timeline(*EVENING, file=name)) for name in names)
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert [row["file"] for row in rows[::5]] == [names[0], f"'{names[1]}", names[2]]
    assert rows[1] == {
        "file": names[0], "start": "12.500", "end": "15.000", "state": "unknown", "label": "", "confidence": "0.0600",
    }  # fmt: skip
    assert len(rows) == 3 * len(EVENING)


def test_audacity_labels_are_those_of_the_session_log() -> None:
    """A segment of a file is labelled as the same segment of a session is."""
    records = [Record(1, "segment", 100 + s.start, 100 + s.end, *s[2:], None, None) for s in EVENING]
    assert as_audacity(timeline(*EVENING)) == file_formats.to_audacity(records, file_formats.Span(100.0, 150.0))
    assert as_audacity(timeline(*EVENING)).splitlines()[2] == "15.000000\t35.000000\tflute 81%"


def test_a_file_in_which_nothing_was_heard_has_no_totals() -> None:
    """A timeline without segments is written, too."""
    assert timeline().totals == []
    assert as_text(timeline()) == "evening.flac: 0:01.00\n"
    assert (as_csv(timeline()), as_audacity(timeline())) == ("", "")


@pytest.fixture
def two_solos(tmp_path: Path, demo: Array) -> Path:
    """Four seconds of the demo's piano, and four of silence."""
    path = tmp_path / "solo.wav"
    soundfile.write(path, np.concatenate([demo[: 4 * 22_050], np.zeros(4 * 22_050, np.float32)]), 22_050)
    return path


@pytest.mark.parametrize(("form", "expected"), [("csv", as_csv), ("audacity", as_audacity), ("json", as_json)])
def test_the_command_writes_what_was_asked_for(
    two_solos: Path,
    form: str,
    expected: Callable[[FileTimeline], str],
    classifier: Classifier,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """`--format` writes to standard output, as UTF-8 with its own line ends, what the file holds."""
    assert command_line.execute(["classify", str(two_solos), "--format", form]) == 0
    head = csv_head() if form == "csv" else ""
    assert capfdbinary.readouterr().out.decode() == head + expected(classify(two_solos, classifier))


def test_all_that_a_model_knows_may_be_named(tmp_path: Path, demo: Array, capsys: pytest.CaptureFixture[str]) -> None:
    """What is outside a model's own line-up is unknown, and has its name where the command asks for all, or for it."""
    path = tmp_path / "drums.wav"
    soundfile.write(path, demo[41 * 22_050 : 45 * 22_050], 22_050)
    labels = []
    for chosen in ([], ["--instruments", "all"], ["--instruments", "drums,piano"]):
        assert command_line.execute(["classify", str(path), "--json", "--model", str(tiny.INTEGER), *chosen]) == 0
        labels.append(json.loads(capsys.readouterr().out)["label"])
    assert labels == ["unknown", "drums", "drums"]
    with pytest.raises(ConfigError, match='names "drum", which model tiny-129 does not know; did you mean drums'):
        command_line.execute(["classify", str(path), "--model", str(tiny.INTEGER), "--instruments", "drum"])


def test_labels_of_several_files_are_refused(two_solos: Path) -> None:
    """Audacity's labels have no place for a file's name, so that those of two files would be mixed."""
    with pytest.raises(ConfigError, match="is for one file"):
        command_line.execute(["classify", str(two_solos), str(two_solos), "--format", "audacity"])


def test_the_number_of_files_at_once_is_a_number(two_solos: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What is none is refused before anything is read; with any the output is the same."""
    for wrong in ("0", "-1", "two", "65"):
        assert main(["classify", "--jobs", wrong, "none.wav"]) == 2
        assert f'--jobs is "{wrong}"; expected a whole number from 1 to 64' in capfd.readouterr().err
    outputs = []
    for jobs in ("1", "3"):
        assert main(["classify", "--model", str(tiny.INTEGER), "--jobs", jobs, *[str(two_solos)] * 3, "none.wav"]) == 1
        outputs.append(capfd.readouterr())
    assert outputs[0] == outputs[1]
    assert outputs[0].out.count("solo.wav: 0:08.00") == 3
