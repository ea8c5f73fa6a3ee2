"""`soloist check-lines`: whether each player is on the channel on which the plan has them."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from typing import TYPE_CHECKING, Final

from stream.cli.settings_flags import sources
from stream.errors import ConfigError
from stream.system.terminal import print_error

if TYPE_CHECKING:
    from stream.cli.check_lines_display import Display, JsonDisplay
    from stream.service.line_check import LineCheck

HELP = "check at soundcheck that each line of a plan is on its channel"

_BLOCK_SECONDS: Final = 1.0
_BLOCK_NUMBERS: Final = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the plan, what to listen to, and for how long."""
    add = parser.add_argument
    add("plan", metavar="FILE", help="TOML file with a table [[line]] for each line: name, channels, instruments")
    add("--input", metavar="mic|demo|FILE|-", help="what to listen to (mic)")
    add("--device", metavar="NAME", help="part of the input's name; Soloist waits for the device")
    add("--wait", action="store_true", help="wait for an input if there is none")
    add(
        "--pcm",
        metavar="FORM:RATE:CHANNELS",
        help="raw audio on standard input: s16le, s24le, s32le or f32le (s16le:44100:1)",
    )
    add("--gate", metavar="DBFS", help="level below which a line is silent that has no gate of its own (-70)")
    add("--model", metavar="NAME|PATH", help="a model that comes with Soloist, or a .tflite beside its .json")
    add(
        "--seconds",
        type=float,
        default=None,
        metavar="N",
        help="end after so many seconds, or as soon as all lines are green",
    )
    add("--json", action="store_true", default=False, help="a JSON object in a line for each change")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Check until the audio ends, somebody interrupts it, or the time is over: 0 when all lines are green then."""
    from stream.settings.lines_plan import read_plan, strangers
    from stream.settings.reading import read, refuse

    plan = read_plan(options.plan)
    if plan.problems:
        return _refuse(plan.problems)
    if options.seconds is not None and not options.seconds > 0:
        raise ConfigError(f"--seconds is {options.seconds:g}; expected more than 0")
    reading = read(*sources(options))
    refuse(reading.problems)
    settings = reading.settings.recognition

    from stream.cli.check_lines_display import Display, JsonDisplay
    from stream.recognition import bundle
    from stream.recognition.classifier import Classifier
    from stream.service.line_check import LineCheck
    from stream.system.files import is_pipe

    model = bundle.load(settings.model)
    if strange := strangers(plan.lines, model):
        return _refuse(strange)
    classifier = Classifier(model, runtime=settings.runtime, threads=settings.threads)
    check = LineCheck(plan.lines, classifier, gate=settings.gate, hop=settings.hop)
    display: Display | JsonDisplay = (JsonDisplay if options.json else Display)(sys.stdout)
    audio = dataclasses.replace(reading.settings.audio, channel=None)  # all of them are heard
    try:
        if audio.input in ("mic", "demo", "-") or is_pipe(audio.input):
            import asyncio

            from stream.cli.live_check import listen

            asyncio.run(listen(audio, check, display, options.seconds))
        else:
            _read_file(audio.input, check, display, options.seconds)
    finally:
        display.close()
    report = check.report
    if report is None:
        print_error("there was no audio, so that nothing is checked")
        return 1
    if not report.is_all_green:
        names = ", ".join(line.plan.name for line in report.lines if line.colour != "green")
        print_error(f"not green: {names}")
    return 0 if report.is_all_green else 1


def _read_file(path: str, check: LineCheck, display: Display | JsonDisplay, seconds: float | None) -> None:
    """Check a file as fast as it goes; Ctrl-C ends it where it is."""
    from stream.audio.sound_file import open_sound_file

    with open_sound_file(path) as file:
        check.connect(file.rate, file.channels)
        size = min(round(_BLOCK_SECONDS * file.rate), _BLOCK_NUMBERS // file.channels)
        try:
            while len(frames := file.read(size)):
                check.hear(frames)
                if (report := check.report) is not None:
                    display.show(report)
                if seconds is not None and report is not None and (report.is_all_green or report.time >= seconds):
                    return
            check.finish()
            if (report := check.report) is not None:
                display.show(report)
        except KeyboardInterrupt:
            return
        for remark in (file.remark, file.shortfall()):
            if remark is not None:
                display.tell(f"{path}: {remark}")


def _refuse(problems: tuple[str, ...] | list[str]) -> int:
    """Tell everything that is wrong with a plan, a line each."""
    for problem in problems:
        print_error(problem)
    return 2
