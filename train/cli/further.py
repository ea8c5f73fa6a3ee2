"""``soloist train further``: train a pretrained network further, and make the bundle of all labels."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from stream.errors import ConfigError
from stream.system.stderr import quiet_stderr
from train.cli.options import Actions, at_least, print_now, rendered_pack, running_arguments


def add_parser(actions: Actions[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the action to the command line."""
    parser = actions.add_parser(
        "further", parents=[running_arguments()], help="train a pretrained network further, and make its bundle"
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
    add("--out", type=Path, required=True, help="folder for the bundle")
    add("--name", default="mine", help="the model's name (default: %(default)s)")
    add("--run", type=Path, help="folder of the run (default: OUT/NAME); a run stopped there goes on")
    add("--render", action="store_true", help="first add notes rendered with FluidSynth to the pack, in CACHE/pack")
    add("--clips", type=int, default=16_000, help="training clips to compose (default: %(default)s)")
    add("--validation-clips", type=int, default=2_400, help="of held-out sources (default: %(default)s)")
    add("--music", type=Path, metavar="FOLDER", help="of `soloist train music`: bands behind, and music for the tags")
    add("--epochs", type=int, default=5, help="(default: %(default)s)")
    add("--all-epochs", type=int, default=2, help="to go on for with all sources (default: %(default)s)")
    add("--rate", type=float, default=3e-4, help="highest learning rate of the trunk (default: %(default)s)")
    add("--seed", type=int, default=0, help="of clips, order and augmentation (default: %(default)s)")
    add("--float", action="store_true", help="also NAME-float: the same network in float32")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Train a pretrained network further, and write its bundle."""
    at_least(arguments, 1, "clips", "validation_clips", "epochs", "processes")
    at_least(arguments, 0, "all_epochs")
    if not arguments.pretrained.is_file():
        raise ConfigError(f"there is no {arguments.pretrained}: expected the weights of EfficientAT's mn04_as, an .npz")
    with quiet_stderr():  # not before: TensorFlow takes seconds, and tells of every library that it does not find
        from train.pipeline import further
        from train.transfer.further_training import FurtherSchedule
        from train.transfer.teacher import read_classes
    data = arguments.data
    if arguments.render:
        data = rendered_pack(data, (data / "training.csv").is_file(), arguments.cache, beyond=True)
    schedule = FurtherSchedule(epochs=arguments.epochs, rate=arguments.rate, seed=arguments.seed)
    recipe = further.FurtherRecipe(
        *(arguments.name, data, arguments.pretrained, arguments.clips, arguments.validation_clips),
        music=arguments.music,
        seed=arguments.seed,
        schedule=schedule,
        all_epochs=arguments.all_epochs,
        command=arguments.command,
    )
    folder = arguments.run or arguments.out / arguments.name
    trained, held_out, windows = further.train_further(recipe, folder, arguments.cache, arguments.processes)
    classes = read_classes(recipe.pretrained)
    model = further.shipped_network(trained.model, classes)
    content = further.quantise(model, held_out, recipe.seed)
    logits = further.run_tflite(content, held_out)
    rule = further.make_rule(logits, held_out, windows.real)
    scores = further.held_out_scores(logits, held_out, windows.real)
    metrics = {"share": trained.share, "held_out": scores}
    if recipe.all_epochs:
        further.go_on_with_all(recipe, trained, folder / "all-sources", arguments.cache, arguments.processes)
        model = further.shipped_network(trained.model, classes)
        content = further.quantise(model, held_out, recipe.seed)
    provenance = further.provenance_of_stage(recipe, windows)
    further.write_model(recipe, arguments.out, recipe.name, content, rule, provenance, metrics)
    if arguments.float:
        name = f"{recipe.name}-float"
        exact = further.quantise(model, held_out, recipe.seed, "float32")
        further.write_model(replace(recipe, name=name), arguments.out, name, exact, rule, provenance, metrics)
    print_now("\n".join(f"{name} {value:.4f}" for name, value in scores.items()))
    print_now(f"{arguments.out / recipe.name}.tflite\n{arguments.out / recipe.name}.json")
