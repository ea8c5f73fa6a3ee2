"""The laboratory's command line: ``soloist train fit``, ``evaluate`` and ``examples``."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import numpy as np
import soundfile

from stream.bundle import Bundle, load
from stream.errors import ConfigError, SoloistError
from stream.features import SAMPLE_RATE
from train import evaluate
from train.card import card
from train.composer import Composer, Recipe
from train.corpus import compose
from train.export import Provenance, write
from train.fit import Schedule, fit, logits
from train.int8 import Int8Model, convert
from train.networks import REGULAR
from train.pack import LABELS, read_pack, split
from train.score import Calibration, calibrate

_LOOKS = "validation-looks.log"  # one line for each time the validation clips were scored


def main(argv: list[str] | None = None) -> int:
    """Run the laboratory.

    Parameters
    ----------
    argv : list of str, optional
        Arguments after ``soloist train``; those of the process by default.

    Returns
    -------
    int
        Exit status: 0, or 1 after a line on standard error.
    """
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        run = {"fit": _fit, "evaluate": _evaluate, "examples": _examples}[arguments.action]
        run(arguments)
    except SoloistError as error:
        sys.stderr.write(f"soloist train: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("soloist train", description="Soloist's laboratory.")
    actions = parser.add_subparsers(dest="action", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", type=Path, required=True, help="folder with training.csv and the audio it names")
    common.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache/soloist", help="folder for what is composed"
    )
    common.add_argument("--held-out-clips", type=int, default=2400, help="clips composed of held-out sources")
    common.add_argument("--seed", type=int, default=0)
    common.add_argument("--processes", type=int, default=2, help="processes that compose")
    action = actions.add_parser("fit", parents=[common], help="compose clips, fit, quantise and write a model bundle")
    action.add_argument("--out", type=Path, required=True, help="folder for the bundle")
    action.add_argument("--name", default="published")
    action.add_argument("--clips", type=int, default=30000, help="clips to learn from")
    action.add_argument("--epochs", type=int, default=Schedule().epochs)
    action.add_argument("--fit-seed", type=int, default=0, help="seed of the weights and the order, not of the clips")
    action = actions.add_parser("evaluate", parents=[common], help="print how good a bundle is")
    action.add_argument("model", help="name of a shipped model, or path of a .tflite or .json")
    action.add_argument("--no-validation", action="store_true", help="leave the validation clips alone")
    action = actions.add_parser("examples", parents=[common], help="write some composed clips to listen to")
    action.add_argument("--out", type=Path, required=True, help="folder for the clips")
    action.add_argument("--each", type=int, default=4, help="clips for each label")
    return parser


def _fit(arguments: argparse.Namespace) -> None:
    if arguments.clips < 1 or arguments.epochs < 1 or arguments.held_out_clips < 1:
        raise ConfigError("--clips, --epochs and --held-out-clips take numbers from 1 on")
    data, seed, processes = arguments.data, arguments.seed, arguments.processes
    held_out = compose(Recipe(data, arguments.cache, True, seed), arguments.held_out_clips, processes)
    training = compose(Recipe(data, arguments.cache, False, seed), arguments.clips, processes)
    model, best = fit(REGULAR, training, held_out, Schedule(epochs=arguments.epochs, seed=arguments.fit_seed))

    chosen = np.random.default_rng(seed).choice(len(training.labels), min(500, len(training.labels)), replace=False)
    content = convert(model, training.features[np.sort(chosen)])
    int8 = Int8Model(content)
    outputs = int8.logits(held_out.features)
    rule = calibrate(held_out.labels, outputs)
    agreement = float(np.mean(outputs.argmax(axis=1) == logits(model, held_out.features).argmax(axis=1)))

    on_held_out = evaluate.score("held-out sources", held_out.labels, outputs, rule)
    real = _look(int8, data, arguments.cache, rule, arguments.name) if (data / "validation.csv").exists() else None
    looks = _looks(arguments.cache)
    metrics = {
        "validation": real.figures() if real else None,
        "validation_looks": looks,
        "held_out": on_held_out.figures(),
        "int8_float_agreement": round(agreement, 4),
        "best_epoch": best.epoch,
        "parameters": model.count_params(),
        "bytes": len(content),
    }
    flags = f"--clips {arguments.clips} --epochs {arguments.epochs} --seed {seed} --fit-seed {arguments.fit_seed}"
    command = f"soloist train fit --data {data} --out {arguments.out} --name {arguments.name} {flags}"
    provenance = Provenance(split(read_pack(data))[0], arguments.clips, seed, training.digest, command)
    write(arguments.out, arguments.name, content, rule, provenance, metrics)
    text = card(
        arguments.name,
        rule,
        provenance,
        real,
        on_held_out,
        parameters=model.count_params(),
        size=len(content),
        agreement=agreement,
        looks=looks,
    )
    (arguments.out / f"{arguments.name}.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def _evaluate(arguments: argparse.Namespace) -> None:
    bundle = load(arguments.model)
    int8, rule = Int8Model(bundle.model), _rule(bundle)
    corpus = compose(
        Recipe(arguments.data, arguments.cache, True, arguments.seed), arguments.held_out_clips, arguments.processes
    )
    sys.stdout.write(evaluate.table(evaluate.held_out(int8, corpus, rule)) + "\n\n")
    if not arguments.no_validation:
        sys.stdout.write(evaluate.table(_look(int8, arguments.data, arguments.cache, rule, bundle.name)) + "\n\n")
    for start, end, label, windows, names in evaluate.demo(int8, rule):
        shares = ", ".join(f"{name} {count}" for name, count in names.items())
        sys.stdout.write(f"demo {start:5.1f} to {end:5.1f} s, {label}: of {windows} windows {shares}\n")


def _examples(arguments: argparse.Namespace) -> None:
    composer = Composer(Recipe(arguments.data, arguments.cache, False, arguments.seed))
    arguments.out.mkdir(parents=True, exist_ok=True)
    missing = dict.fromkeys(range(len(LABELS)), arguments.each)
    index = 0
    while any(missing.values()):
        clip = composer.clip(index)
        if missing[clip.label]:
            missing[clip.label] -= 1
            source = clip.source.replace("/", " - ")
            path = arguments.out / f"{LABELS[clip.label]} {arguments.each - missing[clip.label]} ({source}).flac"
            soundfile.write(path, clip.audio, SAMPLE_RATE)
            sys.stdout.write(f"{path}\n")
        index += 1


def _rule(bundle: Bundle) -> Calibration:
    return Calibration(bundle.temperature, bundle.thresholds)


def _look(int8: Int8Model, data: Path, cache: Path, rule: Calibration, name: str) -> evaluate.Result:
    """Score the validation clips, and keep a record that somebody looked."""
    with (cache / _LOOKS).open("a", encoding="utf-8") as log:
        log.write(f"{name}\n")
    return evaluate.validation(int8, data, rule)


def _looks(cache: Path) -> int:
    path = cache / _LOOKS
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


if __name__ == "__main__":
    sys.exit(main())
