"""The report of a run, as a file and in headless Chromium."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="needs the train extra")
pytest.importorskip("matplotlib", reason="needs the train extra")

from stream.errors import SourceError
from stream.recognition.mel import SAMPLE_RATE, WINDOW
from tests.support.tone_dataset import ToneDataset, clip_without_sound
from train.datasets.corpus import Corpus, extract
from train.evaluation.agreement import measure_agreement
from train.evaluation.clip_evaluation import find_mistakes
from train.evaluation.clip_metrics import Calibration, softmax
from train.evaluation.clip_predictions import ClipPredictions
from train.evaluation.clip_result import score_clips
from train.report import figures, run_report
from train.report.sections import MistakeExample

BROWSERS = [Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium")]
CHROMIUM = next((path for path in BROWSERS if path.exists()), BROWSERS[-1])
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip

HISTORY = [
    {
        "epoch": epoch, "loss": 2 / epoch, "accuracy": 1 - 0.8 / epoch, "validation_loss": 2.2 / epoch,
        "validation_accuracy": 1 - 0.9 / epoch, "validation_class_average": 1 - 0.9 / epoch, "rate": 1e-3,
        "seconds": 1.0,
    }
    for epoch in range(1, 9)
]  # fmt: skip

CONTRASTS = """() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
    const painted = (...colours) => {
        for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = (rgb) => {
        const [r, g, b] = rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const found = [];
    for (const details of document.querySelectorAll('details')) details.open = true;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement;
        if (!node.data.trim() || element.closest('style')) continue;
        const grounds = [];
        for (let e = element; e; e = e.parentElement) grounds.unshift(getComputedStyle(e).backgroundColor);
        const style = getComputedStyle(element);
        const ground = painted('#fff', ...grounds);
        const text = painted('#fff', ...grounds, element.closest('svg') ? style.fill : style.color);
        const [low, high] = [luminance(ground), luminance(text)].sort((a, b) => a - b);
        found.push([(high + 0.05) / (low + 0.05), node.data.trim()]);
    }
    return found;
}"""
"""Contrast of every text of the page with what lies under it, as WCAG computes it."""


@dataclass(frozen=True)
class Run:
    """What a report is written of."""

    dataset: ToneDataset
    corpus: Corpus
    arguments: dict[str, object]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on tones whose model is made up: right more often than not."""
    dataset = ToneDataset()
    corpus = extract(dataset, tmp_path_factory.mktemp("cache"), processes=1, splits=("test",)).corpora["test"]
    rng = np.random.default_rng(1)
    logits = np.eye(4)[corpus.targets] * 3 + rng.normal(0, 2.2, (len(corpus), 4))
    probabilities = softmax(logits, 1.0)
    heard = ClipPredictions(corpus.labels, corpus.clips, probabilities, np.zeros(len(corpus), bool), ())
    rule = Calibration(1.0, (0.5, 0.5, 0.5))
    labels = [clip.label for clip in corpus.clips]
    results = [
        score_clips(name, corpus.labels[:3], labels, probabilities, rule, silent=2) for name in ("test", "<i>other</i>")
    ]
    agreement = measure_agreement(
        heard, corpus.clips, softmax(logits + rng.normal(0, 1, logits.shape), 1.0), corpus.labels
    )
    assert agreement.disagreements
    arguments = {
        "title": "tones <script>alert(1)</script>",
        "settings": {
            "variant": "2B",
            "schedule": {"epochs": 8, "patience": None, "seed": 0},
            "channels": ["mel", "delta"],
        },
        "history": HISTORY,
        "best": 6,
        "results": results,
        "examples": run_report.training_examples(corpus),
        "mistakes": run_report.mistake_examples(find_mistakes(heard)[:3], corpus, dataset),
        "agreement": agreement,
    }
    return Run(dataset, corpus, arguments)


@pytest.fixture(scope="module")
def page(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of that run."""
    path = tmp_path_factory.mktemp("report") / "deep" / "report.html"
    run_report.write_run_report(path, **run.arguments)
    return path


class Reader(HTMLParser):
    """Collects the elements of a page and checks that they are closed in order."""

    void = frozenset({"meta", "link", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of all elements of a kind."""
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def reader(page: Path) -> Reader:
    """The report, parsed."""
    return Reader(page.read_text(encoding="utf-8"))


def test_report_needs_nothing_else(reader: Reader) -> None:
    """No element points outside the page, there is no script, and every identifier is there once."""
    assert not reader.open
    assert not reader.all("script")
    targets = [
        value
        for _, attributes in reader.found
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "poster", "srcset") and value
    ]
    assert targets
    assert all(target.startswith(("data:", "#")) for target in targets)
    identifiers = [attributes["id"] for _, attributes in reader.found if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    assert {target for target in targets if target.startswith("#")} <= {f"#{name}" for name in identifiers}


def test_report_escapes_what_it_is_told(reader: Reader, page: Path) -> None:
    """Titles, labels and names with the signs of HTML are text, in the page and in attributes."""
    assert "tones <script>alert(1)</script>" in reader.text
    assert "bass <b>" in reader.text
    assert "horn & hum" in reader.text
    assert "<i>other</i>" in reader.text
    assert not reader.all("b")
    assert not reader.all("i")
    assert "horn & hum" not in page.read_text(encoding="utf-8")


def test_report_tells_the_run(reader: Reader, run: Run) -> None:
    """Settings, figures with counts, every disagreement and every mistake are in the text."""
    first, agreement = run.arguments["results"][0], run.arguments["agreement"]
    assert "Epoch 6 of 8 was kept" in reader.text
    for expected in ("schedule, patience", "none", "mel, delta", f"({first.right} of {first.solos})", "(and 2 silent)"):
        assert expected in reader.text
    assert re.search(r"schedule, seed\s*0", reader.text)
    for row in agreement.disagreements:
        assert f"{row.served_probability:.3f}" in reader.text
    for entry in run.arguments["mistakes"]:
        assert f", {100 * entry.mistake.probability:.1f} %" in reader.text
        assert entry.mistake.clip.recording in reader.text


def test_drawings_have_descriptions(reader: Reader, run: Run) -> None:
    """Every drawing and every player says what it is to those who do not see it."""
    drawings = reader.all("svg")
    assert len(drawings) == 2 + 2 + 4 + len(run.arguments["mistakes"])
    for attributes in [*drawings, *reader.all("audio")]:
        assert attributes["aria-label"]
    loss = next(a["aria-label"] for a in drawings if a["aria-label"].startswith("loss"))
    assert "In epoch 6, the best: training 0.333, validation 0.367" in loss


def test_mistakes_can_be_heard(reader: Reader, run: Run) -> None:
    """Each player holds the three seconds of its clip."""
    players = reader.all("audio")
    assert len(players) == len(run.arguments["mistakes"]) == 3
    for attributes, entry in zip(players, run.arguments["mistakes"], strict=True):
        kind, _, content = attributes["src"].partition(",")
        assert kind == "data:audio/flac;base64"
        audio, rate = soundfile.read(io.BytesIO(base64.b64decode(content)))
        assert (rate, len(audio)) == (SAMPLE_RATE, WINDOW)
        np.testing.assert_allclose(audio, run.dataset.audio(entry.mistake.clip), atol=1 / 32768)


def test_same_run_gives_the_same_bytes(page: Path, run: Run, tmp_path: Path) -> None:
    """A report holds no time and no chance."""
    run_report.write_run_report(tmp_path / "again.html", **run.arguments)
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_report_of_next_to_nothing(run: Run, tmp_path: Path) -> None:
    """Without history, figures, examples and agreement the page has only what there is."""
    run_report.write_run_report(tmp_path / "r.html", title="none", settings={"seed": 1}, history=[], best=0, results=[])
    reader = Reader((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert [attributes["id"] for attributes in reader.all("section")] == ["settings"]
    result = score_clips("nothing", ("a", "b"), [], np.zeros((0, 2)), Calibration(1.0, (0.5, 0.5)))
    run_report.write_run_report(tmp_path / "r.html", title="none", settings={}, history=[], best=0, results=[result])
    assert "There are none to show." in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_report_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder that is a file ends with the path in one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match=r"cannot write .*r\.html"):
        run_report.write_run_report(tmp_path / "file" / "r.html", title="", settings={}, history=[], best=0, results=[])


def test_examples_are_of_different_recordings(run: Run) -> None:
    """Each label has its examples, of different recordings while there are enough."""
    two = run_report.training_examples(run.corpus, each=2)
    assert [example.clip.label for example in two] == [label for label in run.dataset.labels for _ in range(2)]
    assert len({example.clip.recording for example in two}) == len(two)
    assert len(run_report.training_examples(run.corpus, each=3)) == 3 * 4


def test_mistake_whose_file_is_gone_is_shown_without_sound(run: Run, tmp_path: Path) -> None:
    """Features outlive the file they were computed of; the report says so and goes on."""
    gone = clip_without_sound("whistle", "gone.broken")
    entry = run.arguments["mistakes"][0]
    lost = MistakeExample(type(entry.mistake)(gone, "bass <b>", 0.9), entry.features, None)
    run_report.write_run_report(tmp_path / "r.html", **{**run.arguments, "mistakes": [lost]})
    assert "The audio cannot be read any more." in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_spectrogram_has_its_pixels(run: Run) -> None:
    """A drawn spectrogram is the 129 x 129 features, low bands at the bottom, with axes in Hz and seconds."""
    features = np.zeros((129, 129), np.uint8)
    features[0, :40] = 255
    drawing = figures.spectrogram(features, name="x", description="low")
    png = base64.b64decode(re.search(r"data:image/png;base64,\s*([^\"]*)", drawing)[1])
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(png)).convert("RGB")
    assert image.size == (129, 129)
    bright = np.asarray(image).sum(axis=2) > 600
    # matplotlib draws with the first row at the bottom: the element's matrix turns it over.
    rows, columns = np.nonzero(bright)
    flipped = re.search(r"matrix\([\d.]+ 0 0 (-?)", drawing)[1] == "-"
    assert set(rows) == {0 if flipped else 128}
    assert (columns.min(), columns.max()) == (0, 39)
    assert ">4k<" in drawing
    assert ">Hz<" in drawing


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed")
async def test_report_in_a_browser(page: Path, run: Run) -> None:
    """In Chromium the report asks for nothing, complains of nothing, fits a phone, and reads well in light and dark."""
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    complaints: list[str] = []
    requests: list[str] = []
    async with asyncio.timeout(100), playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        for width, scheme in ((1200, "light"), (1200, "dark"), (360, "light")):
            tab = await browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            tab.on("console", lambda message: complaints.append(message.text))
            tab.on("pageerror", lambda error: complaints.append(str(error)))
            tab.on("request", lambda request: requests.append(request.url))
            await tab.goto(page.as_uri())
            assert await tab.evaluate("document.documentElement.scrollWidth") <= width
            contrasts = await tab.evaluate(CONTRASTS)
            assert len(contrasts) > 200
            assert min(contrasts)[0] >= 4.5, min(contrasts)
            played = await tab.evaluate(
                """Promise.all([...document.querySelectorAll('audio')].map((audio) => new Promise((done) => {
                    audio.onloadedmetadata = () => done(audio.duration);
                    audio.onerror = () => done(audio.error.message);
                    audio.load();
                })))"""
            )
            assert played == pytest.approx([WINDOW / SAMPLE_RATE] * len(run.arguments["mistakes"]), abs=0.01)
        await browser.close()
    assert not complaints
    assert not [url for url in requests if not url.startswith(("data:", page.as_uri()))]
