"""The actions of ``soloist train``."""

from __future__ import annotations

import argparse
import html
import json
import logging
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import soundfile

from stream.errors import ConfigError, SourceError
from stream.recognition.bundle import UNKNOWN, Bundle, load
from stream.recognition.mel import CHANNELS, SAMPLE_RATE
from train import atomic_file
from train.cli.arguments import at_least, data_of
from train.compose import rendered_notes, sound_fonts
from train.compose.clip_programmes import Montage
from train.compose.composed_programmes import Stage
from train.data_settings import Data
from train.datasets import medley_files as archive
from train.datasets.clip_features import window_features
from train.datasets.clips import Clip, Dataset, Split
from train.datasets.corpus import Extraction, extract
from train.datasets.training_checks import require, trainable
from train.evaluation import programme_result
from train.evaluation import smoothing_tradeoff as tradeoff
from train.evaluation.bundle_evaluation import ORDERS, Further, called, measure
from train.evaluation.clip_evaluation import evaluate
from train.evaluation.clip_result import table
from train.evaluation.demo_evaluation import demo
from train.evaluation.programme_evaluation import follow
from train.evaluation.programme_predictions import listen
from train.evaluation.real_clips import look, looked, original, validation
from train.experiments import ablation, search, study
from train.experiments import ablation_table as ablationtable
from train.experiments import study_table as studytable
from train.fitting.augmentation import AUGMENTATIONS
from train.fitting.cluster import Workers
from train.fitting.fit import STATE, fit
from train.fitting.schedule import Schedule, fitting
from train.fitting.training_run import Run
from train.networks.architectures import NETWORKS
from train.pipeline import refit
from train.pipeline.shipping import make, tell
from train.report import figures

log = logging.getLogger(__name__)

_ASIDE: Final = 1000  # first number of the programmes that smoothing is chosen on: others than those it is judged by


def fit_(arguments: argparse.Namespace) -> None:
    """Train a network, and make its bundle, card and report."""
    run = _run(arguments)
    folder = arguments.run or arguments.out / run.name
    workers = Workers(distribute=arguments.distribute)
    further, told = _further(run.data, arguments), _told(arguments)
    if arguments.refit:
        refit.all_sources(run, arguments.refit)  # what cannot be is not to be told hours later
    if arguments.render:
        run = replace(run, data=replace(run.data, path=_rendered(run.data, arguments.cache)))
    dataset = trainable(run.data.open(arguments.cache))
    _require_known(dataset, further)
    corpora = _extracted(dataset, arguments).corpora
    if not arguments.batch and not arguments.settings:
        run = replace(run, schedule=fitting(run.schedule, len(corpora["training"])))
    if workers.chief and not (folder / STATE).exists():
        run.save(folder)  # so that it can be exported and reported whatever happens
    fitted = fit(
        run.variant,
        corpora["training"],
        corpora["validation"],
        run.schedule,
        channels=run.channels,
        workers=workers,
        folder=folder,
        progress=True,
    )
    if not workers.chief:
        return
    run.save(folder)
    if not arguments.refit:
        processes = arguments.processes
        make(run, folder, arguments.out, dataset, corpora, fitted.model, processes, further=further, **told)
        _made(arguments.out, run, folder)
        return
    twin = refit.twin(run, folder, dataset, corpora, fitted.model, further, arguments.processes)
    again = refit.all_sources(run, arguments.refit, arguments.refit_clips)
    dataset = trainable(again.data.open(arguments.cache))
    corpora = _extracted(dataset, arguments).corpora
    refit.refit(
        again, folder, arguments.out, dataset, corpora, fitted.model, twin, further, arguments.processes, **told
    )
    _made(arguments.out, again, folder / refit.FOLDER)


def export_(arguments: argparse.Namespace) -> None:
    """Make the bundle of a run again."""
    run = _recalled(arguments.run)
    further, told = _further(run.data, arguments), _told(arguments)
    dataset = trainable(run.data.open(arguments.cache))
    _require_known(dataset, further)
    model = run.model(arguments.run, dataset.labels)
    corpora = _extracted(dataset, arguments).corpora
    processes = arguments.processes
    make(run, arguments.run, arguments.out, dataset, corpora, model, processes, further=further, **told)
    _made(arguments.out, run, arguments.run)


def report_(arguments: argparse.Namespace) -> None:
    """Write the report of a run again."""
    run = _recalled(arguments.run)
    bundle = load(arguments.model or arguments.run.resolve().parent / f"{run.name}.json")
    further = _further(run.data, arguments)
    dataset = trainable(run.data.open(arguments.cache))
    _require_known(dataset, further)
    model = run.model(arguments.run, dataset.labels)
    corpora = _extracted(dataset, arguments).corpora
    measured = measure(run.data, bundle, model, dataset, corpora, arguments.processes, further)
    measured.save(arguments.run)
    _print(str(tell(run, arguments.run, measured, dataset, corpora)))


def evaluate_(arguments: argparse.Namespace) -> None:
    """Print how a bundle does, as the service runs it."""
    bundle = load(arguments.model)
    data = data_of(arguments)
    if data.kind == "composed":  # nothing else knows what the bundle's labels are
        data = replace(data, clips=0, instruments=data.instruments or bundle.instruments)
        data = replace(data, unknown=UNKNOWN in bundle.labels if arguments.unknown is None else data.unknown)
    dataset = data.open(arguments.cache)
    splits = Counter(clip.split for clip in dataset.clips)
    split: Split = arguments.split or ("test" if splits["test"] else "validation")
    clips = [clip for clip in dataset.clips if clip.split == split]
    if not clips:
        raise ConfigError(f"{dataset.name} has no {split} clips; it has {dict(splits)}")
    if split == "validation" and data.test_clips and not _spared(bundle):
        log.warning(
            "these clips may be of sources that %s learned from: only a run with --test-clips spares them", bundle.name
        )
    result, _ = evaluate(called(data, split), bundle, dataset, clips, arguments.processes)
    _print(table(result))
    if data.kind == "composed":
        if not arguments.no_validation and (original(data.path) / "validation.csv").exists():
            real = validation(data.path)
            looks = look(arguments.cache, bundle.name)
            _print(table(evaluate("validation", bundle, real, real.clips)[0]))
            _print(looked(looks))
        _print("\n".join(map(str, demo(bundle))))


def study_(arguments: argparse.Namespace) -> None:
    """Train the published networks, and print their table."""
    at_least(arguments, 1, "epochs", "seeds")
    schedule = study.SCHEDULE if arguments.epochs is None else replace(study.SCHEDULE, epochs=arguments.epochs)
    found = study.study(
        data_of(arguments),
        arguments.cache,
        arguments.out,
        tasks=arguments.tasks.split(","),
        rows=[row.strip() for row in arguments.rows.split(",")] if arguments.rows else tuple(study.ROWS),
        seeds=arguments.seeds,
        schedule=schedule,
        processes=arguments.processes,
    )
    _print(studytable.text(found))


def ablation_(arguments: argparse.Namespace) -> None:
    """Train the full recipe and what lacks one ingredient of it, and print the table."""
    at_least(arguments, 1, "epochs", "seeds", "full_seeds")
    schedule = ablation.SCHEDULE
    if arguments.epochs is not None:
        schedule = replace(schedule, epochs=arguments.epochs)
    if arguments.handovers is not None:
        if not 0 <= arguments.handovers <= 1:
            raise ConfigError(f"--handovers is {arguments.handovers:g}; expected 0 to 1")
        schedule = replace(schedule, handovers=arguments.handovers)
    found = ablation.ablation(
        replace(data_of(arguments), clips=arguments.clips or 6_000),
        arguments.cache,
        arguments.out,
        network=arguments.network,
        only=[name.strip() for name in arguments.only.split(",")] if arguments.only else (),
        seeds=arguments.seeds,
        full_seeds=arguments.full_seeds,
        schedule=schedule,
        look=(lambda: look(arguments.cache, f"ablation {arguments.out}")) if arguments.real else None,
        processes=arguments.processes,
    )
    _print(ablationtable.text(found))


def search_(arguments: argparse.Namespace) -> None:
    """Search for better hyper-parameters, and print what came out."""
    at_least(arguments, 1, "epochs", "trials")
    data = data_of(arguments)
    search.search(
        data if arguments.clips else study.sized(data),
        arguments.cache,
        arguments.out,
        trials=arguments.trials,
        epochs=arguments.epochs,
        seed=arguments.seed,
        channels=_channels(arguments.channels),
        processes=arguments.processes,
    )
    _print((arguments.out / "search.md").read_text(encoding="utf-8"))


def examples_(arguments: argparse.Namespace) -> None:
    """Write clips of every label, and a page with their spectrograms."""
    dataset = data_of(arguments).open(arguments.cache)
    arguments.out.mkdir(parents=True, exist_ok=True)
    entries: list[str] = []
    for clip, number in _few(dataset, arguments.each):
        audio = dataset.audio(clip)
        name = f"{clip.label} {number} ({clip.recording.replace('/', ' - ')}).flac"
        soundfile.write(arguments.out / name, audio, SAMPLE_RATE)
        picture = figures.spectrogram(window_features(audio), name=f"clip{len(entries)}", description=name)
        entries.append(_EXAMPLE.format(name=html.escape(name), source=quote(name), picture=picture))
        _print(str(arguments.out / name))
    page = arguments.out / "index.html"
    page.write_text(_EXAMPLES.format(name=html.escape(dataset.name), entries="\n".join(entries)), encoding="utf-8")
    _print(str(page))


def render_(arguments: argparse.Namespace) -> None:
    """Render notes for a pack's thin instruments."""
    for rendered in rendered_notes.render(arguments.data, arguments.out, sound_fonts.fonts_of(arguments.soundfont)):
        _print(str(rendered))
    _print(rendered_notes.summary(arguments.out))


def programmes_(arguments: argparse.Namespace) -> None:
    """Print how a bundle follows continuous programmes, or what smoothing otherwise would cost."""
    at_least(arguments, 1, "programmes", "solos", "processes")
    bundle = load(arguments.model)
    stage = Stage(arguments.data, arguments.cache, arguments.seed)
    counts = arguments.programmes, arguments.solos
    record: Any
    if arguments.tune:
        if arguments.real:
            raise ConfigError("--tune and --real exclude each other: nothing is chosen on the real clips")
        choices = tradeoff.weigh(bundle, *listen(bundle, stage, *counts, arguments.processes, first=_ASIDE))
        _print(tradeoff.table(choices))
        record = [choice.figures() for choice in choices]
    else:
        timings = [follow("composed", bundle, stage, *counts, arguments.processes)]
        if arguments.real:
            real = validation(arguments.data)
            looks = look(arguments.cache, bundle.name)
            montage = Montage(real, real.clips, arguments.seed)
            timings.append(follow("real", bundle, montage, ORDERS, len(real.labels), arguments.processes))
        _print(programme_result.table(timings))
        if arguments.real:
            _print(f"\n{looked(looks)}")
        record = {measured.name: measured.figures() for measured in timings}
    if arguments.json:
        atomic_file.replace(arguments.json, (json.dumps(record, indent=1) + "\n").encode())


def download_(arguments: argparse.Namespace) -> None:
    """Download Medley-solos-DB, and check it."""
    archive.download(arguments.folder)
    check_(arguments)


def check_(arguments: argparse.Namespace) -> None:
    """Compare a copy of Medley-solos-DB with the published checksums."""
    found = archive.validate(arguments.folder)
    for path in (*found.missing, *found.corrupt):
        sys.stderr.write(f"{'missing' if path in found.missing else 'corrupt'}: {path}\n")
    if found.missing or found.corrupt:
        raise ConfigError(f"{arguments.folder}: {found}")
    _print(str(found))


ACTIONS = {
    "fit": fit_,
    "evaluate": evaluate_,
    "export": export_,
    "report": report_,
    "study": study_,
    "ablation": ablation_,
    "search": search_,
    "examples": examples_,
    "render": render_,
    "programmes": programmes_,
    "download": download_,
    "check": check_,
}
"""What each word of the command line does."""

_EXAMPLES = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Examples</title>
<style>
:root {{ color-scheme: light dark; font: 1rem/1.4 system-ui, sans-serif }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem }}
figure {{ margin: 0 }} svg, audio {{ width: 100%; height: auto }} audio {{ height: 2.5rem }}
</style>
<h1>Examples of {name}</h1>
<main>
{entries}
</main>
"""

_EXAMPLE = """<figure>{picture}<audio controls preload="none" src="{source}"></audio>
<figcaption>{name}</figcaption></figure>"""


def _run(arguments: argparse.Namespace) -> Run:
    """Read what to train from the arguments."""
    if arguments.network not in NETWORKS:
        raise ConfigError(f"no network {arguments.network!r}; there are {', '.join(NETWORKS)}")
    if arguments.settings:
        variant, schedule, channels = search.chosen(arguments.settings)
        return Run(arguments.name, data_of(arguments), variant, channels, schedule, arguments.command)
    channels = _channels(arguments.channels)
    at_least(arguments, 1, "epochs", "batch", "patience", "refit", "refit_clips")
    average = Schedule().average if arguments.average is None else arguments.average
    if arguments.plain and arguments.average is None:
        average = 0.0
    if not 0 <= average < 1:
        raise ConfigError(f"--average is {average:g}; expected 0 or more, and less than 1")
    if not 0 <= arguments.handovers <= 1:
        raise ConfigError(f"--handovers is {arguments.handovers:g}; expected 0 to 1")
    schedule = Schedule(
        epochs=arguments.epochs,
        batch=arguments.batch or Schedule().batch,
        rate=arguments.rate,
        smoothing=0.0 if arguments.plain else Schedule().smoothing,
        patience=arguments.patience,
        augmented=not arguments.plain,
        without=_without(arguments.without_augmentation),
        handovers=arguments.handovers,
        average=average,
        seed=arguments.fit_seed,
    )
    return Run(arguments.name, data_of(arguments), NETWORKS[arguments.network], channels, schedule, arguments.command)


def _recalled(folder: Path) -> Run:
    """Read what was trained."""
    run = Run.load(folder)
    if run.data.all_sources:
        raise ConfigError(f"{folder} has its calibration from its twin; this makes both again: {run.command}")
    if "--render" in run.command.split() and not run.data.path.exists():
        raise ConfigError(f"{run.data.path}, with rendered notes, is gone; this makes it again: {run.command}")
    return run


def _rendered(data: Data, cache: Path) -> Path:
    """Make the pack with rendered notes, or find it made."""
    if data.kind != "composed":
        raise ConfigError(f"--render needs a pack, a folder with training.csv; {data.path} is none")
    out = cache.resolve() / "pack"
    if (out / "training.csv").exists() and original(out) != data.path.resolve():
        raise ConfigError(f"{out} was rendered for {original(out)}: name another --cache, or delete it")
    for rendered in rendered_notes.render(data.path, out, sound_fonts.fonts_of(())):
        log.info("%s", rendered)
    log.info("clips are composed of %s", out)
    return out


def _further(data: Data, arguments: argparse.Namespace) -> Further:
    """Read what to measure besides, and open the real clips: what is wrong with them is not to be told hours later."""
    at_least(arguments, 0, "programmes", "solos")
    real = None
    if arguments.real is not None:
        if not arguments.real and data.kind != "composed":
            raise ConfigError(
                f"{data.path} is no pack with real clips: name the folder of a validation.csv, --real PACK"
            )
        real = validation(Path(arguments.real) if arguments.real else data.path)
    return Further(arguments.cache, arguments.programmes, arguments.solos, real)


def _require_known(dataset: Dataset, further: Further) -> None:
    """Require that the real clips are of labels that the model has."""
    if further.real and not set(further.real.labels) & set(dataset.labels):
        raise ConfigError(f"the real clips are of {', '.join(further.real.labels)}: none is a label of {dataset.name}")


def _told(arguments: argparse.Namespace) -> dict[str, Any]:
    """Read what the card is to tell besides figures."""
    table, notes = arguments.ablation, arguments.notes
    if table and table.is_dir():
        table = table / "ablation.md"
    return {"ablation": _text(table) if table else "", "notes": _text(notes) if notes else ""}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise SourceError(f"cannot read {path}: {error}") from error


def _without(names: str | None) -> tuple[str, ...]:
    without = tuple(name.strip() for name in names.split(",")) if names else ()
    if unknown := [name for name in without if name not in AUGMENTATIONS]:
        raise ConfigError(f"no augmentation {unknown[0]!r}; there are {', '.join(AUGMENTATIONS)}")
    return without


def _channels(names: str) -> tuple[str, ...]:
    channels = tuple(name.strip() for name in names.split(","))
    if channels[0] != "mel" or set(channels) - set(CHANNELS) or len(set(channels)) < len(channels):
        raise ConfigError(f"--channels is {names}; expected mel, or mel and after it some of {', '.join(CHANNELS[1:])}")
    return channels


def _extracted(dataset: Dataset, arguments: argparse.Namespace) -> Extraction:
    """Compute features, and see that clips of every label could be read."""
    extraction = extract(dataset, arguments.cache, processes=arguments.processes)
    require(dataset.labels, [clip for corpus in extraction.corpora.values() for clip in corpus.clips])
    return extraction


def _spared(bundle: Bundle) -> bool:
    """Whether a bundle was made without the sources that a third side is composed of."""
    settings = bundle.info.get("training", {}).get("settings", {})
    return bool(settings.get("data", {}).get("test_clips"))


def _few(dataset: Dataset, each: int) -> list[tuple[Clip, int]]:
    """Choose some training clips of every label, numbered, of different recordings while there are enough."""
    chosen = []
    for label in dataset.labels:
        clips = [clip for clip in dataset.clips if clip.label == label and clip.split == "training"]
        firsts = {clip.recording: clip for clip in reversed(clips)}
        clips.sort(key=lambda clip: firsts[clip.recording] != clip)
        chosen += [(clip, number) for number, clip in enumerate(clips[:each], 1)]
    return chosen


def _made(out: Path, run: Run, folder: Path) -> None:
    _print((out / f"{run.name}.md").read_text(encoding="utf-8"))
    _print(f"{out / run.name}.tflite\n{out / run.name}.json\n{folder / 'report.html'}")


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
