"""``soloist train further``: train a pretrained network on stage clips, or a small one, and make its bundle."""

from __future__ import annotations

import argparse
from pathlib import Path

from stream.errors import ConfigError, SourceError
from stream.recognition.bundle import load
from stream.system.stderr import quiet_stderr
from train.cli.options import Actions, at_least, print_now, rendered_pack, running_arguments


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parser = actions.add_parser(
        "further",
        parents=[running_arguments()],
        help="train a pretrained network further; make its bundle and card",
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="a pack to compose of, with songs if it has any")
    add(
        "--pretrained",
        type=Path,
        required=True,
        metavar="FILE.npz",
        help="EfficientAT's mn04_as; the names of its classes, audioset_labels.txt, lie beside it",
    )
    add(
        "--network",
        choices=("mn04", "narrow"),
        default="mn04",
        help="mn04, which begins with the pretrained weights, or narrow, a fifth of it, which begins at random "
        "(default: %(default)s)",
    )
    add("--teacher", default="", metavar="MODEL", help="a bundle of the same labels, half of what is to be learned")
    add("--out", type=Path, required=True, help="folder for the bundle")
    add("--name", default="mine", help="the model's name (default: %(default)s)")
    add("--run", type=Path, help="folder of the run (default: OUT/NAME); a run stopped there goes on")
    add("--render", action="store_true", help="first add notes rendered with FluidSynth to the pack, in CACHE/pack")
    add("--clips", type=int, default=28_000, help="training clips to compose (default: %(default)s)")
    add("--validation-clips", type=int, default=2_400, help="of held-out sources (default: %(default)s)")
    add("--music", type=Path, metavar="FOLDER", help="of `soloist train music`: bands behind, and music for the tags")
    add("--epochs", type=int, default=11, help="(default: %(default)s)")
    add("--all-epochs", type=int, default=4, help="to go on for with all sources (default: %(default)s)")
    add("--all-clips", type=int, default=14_000, help="of all sources, composed for that (default: %(default)s)")
    add("--int8-epochs", type=int, default=1, help="at last, rounded as the int8 model (default: %(default)s)")
    add("--rate", type=float, help="highest learning rate of the trunk (default: 4e-4, or 2e-3 for narrow)")
    add("--seed", type=int, default=0, help="of clips, order and augmentation (default: %(default)s)")
    add("--float", action="store_true", help="also NAME-float: the same network in float32")
    add("--real", action="store_true", help="also the real clips of validation.csv: a look at them, and logged")
    add("--beside", nargs="+", default=[], metavar="MODEL", help="other models, measured on the same clips")
    add("--yamnet", type=Path, metavar="FILE.tflite", help="YAMNet on the same clips, where its .tflite is given")
    add("--notes", type=Path, metavar="FILE", help="put findings into the card: what it gets wrong, and why")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Train a network on stage clips, and write its bundle and card."""
    at_least(arguments, 1, "clips", "validation_clips", "all_clips", "epochs", "processes")
    at_least(arguments, 0, "all_epochs", "int8_epochs")
    if not arguments.pretrained.is_file():
        raise ConfigError(f"there is no {arguments.pretrained}: expected the weights of EfficientAT's mn04_as, an .npz")
    try:
        notes = arguments.notes.read_text(encoding="utf-8") if arguments.notes else ""
    except (OSError, UnicodeError) as error:
        raise SourceError(f"cannot read {arguments.notes}: {error}") from error
    beside = [load(name) for name in arguments.beside]
    with quiet_stderr():  # not before: TensorFlow takes seconds, and tells of every library that it does not find
        from train.compose.unheard import render_unheard
        from train.evaluation import peers
        from train.evaluation.real_clips import open_real_clips
        from train.pipeline import further, further_release
        from train.transfer.further_training import FurtherSchedule
        from train.transfer.teacher import read_classes
    # What cannot be is not to be told hours later.
    classes = read_classes(arguments.pretrained)
    if arguments.teacher:
        further.load_teacher(arguments.teacher)
    others = {"pretrained": peers.pretrained(arguments.pretrained)}
    if arguments.yamnet:
        others["YAMNet"] = peers.yamnet(arguments.yamnet)
    if arguments.real:
        open_real_clips(arguments.data)
    render_unheard(arguments.cache)
    data = arguments.data
    if arguments.render:
        data = rendered_pack(data, (data / "training.csv").is_file(), arguments.cache, beyond=True)
    anew = arguments.network == "narrow"
    rate = arguments.rate or (2e-3 if anew else FurtherSchedule().rate)
    schedule = FurtherSchedule(
        epochs=arguments.epochs,
        rate=rate,
        head_rate=max(rate, FurtherSchedule().head_rate),
        seed=arguments.seed,
        frozen=not anew,
    )
    recipe = further.FurtherRecipe(
        *(arguments.name, data, arguments.pretrained, arguments.network, arguments.teacher),
        *(arguments.clips, arguments.validation_clips),
        music=arguments.music,
        seed=arguments.seed,
        schedule=schedule,
        all_epochs=arguments.all_epochs,
        all_clips=arguments.all_clips,
        int8_epochs=arguments.int8_epochs,
        command=arguments.command,
    )
    folder = arguments.run or arguments.out / arguments.name
    trained, lessons, held_out, windows = further.train_further(recipe, folder, arguments.cache, arguments.processes)
    twin = None
    if recipe.all_epochs:
        twin = further_release.float_form(further_release.shipped_network(trained.model, classes), held_out)
        lessons = further.go_on_with_all(
            recipe, trained, lessons, folder / "all-sources", arguments.cache, arguments.processes
        )
    if recipe.int8_epochs:
        further.learn_steps(recipe, trained, lessons, folder / "int8")
    model = further_release.shipped_network(trained.model, classes)
    shipped = further_release.make_forms(model, lessons.store, held_out, recipe.seed)
    bundle = further_release.release(
        *(
            recipe,
            trained,
            twin or (shipped.int8, shipped.logits),
            shipped,
            model,
            windows,
            held_out,
            folder,
            arguments.out,
            arguments.cache,
        ),
        arguments.processes,
        look=arguments.real,
        with_float=arguments.float,
        beside=beside,
        peers=others,
        notes=notes,
    )
    print_now((arguments.out / f"{bundle.name}.md").read_text(encoding="utf-8"))
    print_now(f"{arguments.out / bundle.name}.tflite\n{arguments.out / bundle.name}.json")
