"""What the commands of `soloist` do. Each takes its arguments, prints, and returns an exit status."""

# Whatever takes time to import is imported by the command that needs it.

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from stream.errors import ConfigError, SoloistError
from stream.system.terminal import print_error

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path


def run(options: argparse.Namespace) -> int:
    """Run the service."""
    from stream.service import process
    from stream.settings import reading as config

    return process.run(lambda: config.read(*_told(options)))


def classify_files(options: argparse.Namespace) -> int:
    """Tell what is in audio files."""
    from stream.cli import classify as report
    from stream.recognition import bundle
    from stream.recognition.classifier import Classifier
    from stream.service.offline import classify
    from stream.settings import check as checkup
    from stream.settings import reading as config

    reading = config.read(*_told(options, input="-"))
    config.refuse(reading.problems)
    settings, channel = reading.settings.recognition, reading.settings.audio.channel
    classifier = Classifier(bundle.load(settings.model), runtime=settings.runtime, threads=settings.threads)
    config.refuse(checkup.strangers(reading, classifier.bundle.instruments, classifier.bundle.name))
    failed = 0
    for file in options.files:
        try:
            timeline = classify(
                file,
                classifier,
                hop=settings.hop,
                lineup=settings.instruments,
                gate=settings.gate,
                channel=channel,
            )
        except SoloistError as error:
            print_error(error)
            failed = 1
            continue
        for note in report.notes(timeline):
            print_error(note)
        sys.stdout.write(report.as_json(timeline) if options.json else report.as_text(timeline))
        sys.stdout.flush()
    return failed


def subscribe(options: argparse.Namespace) -> int:
    """Tell what a running service hears."""
    import asyncio
    import signal

    from stream.cli.listen import listen

    wanted = {
        key: value
        for key, value in vars(options).items()
        if key in ("types", "instruments", "min_confidence", "max_rate")
    }
    signal.signal(signal.SIGINT, signal.default_int_handler)  # for which asyncio has a better one
    asyncio.run(listen(options.url, wanted, _token(options), options.json, vars(options).get("ca")))
    return 0


def list_sessions(options: argparse.Namespace) -> int:
    """Tell what was heard before."""
    from stream.cli import sessions

    sys.stdout.write(sessions.table(_log_path(options)))
    return 0


def export_session(options: argparse.Namespace) -> int:
    """Write what was heard in one session."""
    from stream.cli import sessions

    text = sessions.export_session(_log_path(options), options.id, options.format)
    sys.stdout.buffer.write(text.encode())  # the files are UTF-8, whatever the terminal is
    sys.stdout.flush()
    return 0


def copy_sessions(options: argparse.Namespace) -> int:
    """Write a copy of all that was heard, also while the service writes it down."""
    from stream.session_log.reader import LogReader

    with LogReader(_log_path(options)) as reader:
        reader.copy(options.file)
    return 0


def list_devices(options: argparse.Namespace) -> int:
    """Tell which inputs there are."""
    from stream.audio.devices import list_devices as list_inputs

    found = list_inputs()
    if not found:
        print_error("no microphone or line input found")
        return 1
    for device in found:
        mark = "*" if device.default else " "
        channels = f"{device.channels} channel{'s' if device.channels != 1 else ''}"
        sys.stdout.write(f"{mark} {device.name}  ({device.api}, {channels}, {device.rate} Hz)\n")
    return 0


def check_settings(options: argparse.Namespace) -> int:
    """Tell the settings, where they stand, and what cannot be used."""
    from stream.settings import check as checkup
    from stream.settings import reading as config

    reading = config.read(*_told(options))
    sys.stdout.write(checkup.table(reading))
    sys.stdout.flush()
    for note in (*checkup.strays(os.environ), *checkup.notes(reading)):
        print_error(f"note: {note}")
    problems = reading.in_order([*reading.problems, *checkup.problems(reading)])
    for problem in problems:
        print_error(problem)
    return 2 if problems else 0


def write_example(options: argparse.Namespace) -> int:
    """Write a file of settings."""
    from stream.system import systemd_unit

    sys.stdout.write(systemd_unit.example_settings())
    return 0


def install_service(options: argparse.Namespace) -> int:
    """Write the unit of systemd, and a file of settings if there is none."""
    from pathlib import Path

    from stream.settings import reading as config
    from stream.system import systemd_unit

    named = vars(options).get("config")
    file = Path(named).absolute() if named else systemd_unit.SETTINGS_PATH
    content = systemd_unit.render_unit(
        options.user, file, run=systemd_unit.launch_command(), needed=systemd_unit.installed_folders()
    )
    if options.print:
        sys.stdout.write(content)
        return 0
    if named:
        wrote, is_new = systemd_unit.install_unit(content, force=options.force), False
    else:
        wrote, is_new = systemd_unit.install_unit_and_settings(content, force=options.force)
    sys.stdout.write(f"wrote {systemd_unit.UNIT_PATH}\n" if wrote else f"{systemd_unit.UNIT_PATH} is up to date\n")
    if is_new:
        sys.stdout.write(f"wrote {file}: settings, all at their defaults\n")
    sys.stdout.write(
        "start it now and whenever the machine starts:\n"
        "  sudo systemctl daemon-reload\n"
        "  sudo systemctl enable --now soloist\n"
    )
    sys.stdout.flush()
    for problem in config.read({}, {}, file).problems:
        print_error(problem)
    return 0


def train(arguments: list[str]) -> int:
    """Enter the laboratory, which takes its arguments as they are."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow would tell of GPUs that are not there
    try:
        from train.__main__ import main as train
    except ImportError as error:
        print_error(f"the laboratory is not installed ({error.name} is missing): pip install 'soloist[train]'")
        return 1
    return int(train(arguments))


def _told(options: argparse.Namespace, **more: Any) -> tuple[dict[str, Any], Mapping[str, str], str | None]:
    """Return what can say how something is set: flags, variables, and the name of a file."""
    from stream.settings.settings import names

    known = names()
    flags = {name: value for name, value in vars(options).items() if name in known}
    return flags | more, os.environ, vars(options).get("config") or os.environ.get("SOLOIST_CONFIG")


def _token(options: argparse.Namespace) -> str | None:
    """Return the token that a client is told, as the service reads it; where a flag says it no variable does."""
    from stream.server import access as gate
    from stream.settings import reading as config

    flags = {name: value for name, value in vars(options).items() if name in ("token", "token_file")}
    variables = {name: os.environ.get(name, "") for name in ("SOLOIST_TOKEN", "SOLOIST_TOKEN_FILE")}
    reading = config.read(flags, {} if flags else variables)
    config.refuse(reading.problems)
    try:
        return gate.read_token(reading.settings.server)
    except ConfigError as error:
        raise ConfigError(reading.placed(error)) from error


def _log_path(options: argparse.Namespace) -> Path:
    from pathlib import Path

    from stream.cli import sessions
    from stream.settings import reading as config

    if options.log is not None:
        return Path(options.log)
    return sessions.path(config.load({}, os.environ, os.environ.get("SOLOIST_CONFIG")).session_log)
