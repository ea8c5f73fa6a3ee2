"""The command line: the only place that parses arguments and prints."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from stream import __version__
from stream.errors import ConfigError, ModelError, SoloistError, SourceLostError

if TYPE_CHECKING:
    from pathlib import Path

    from stream.config import Reading
    from stream.service import Service


def main(argv: Sequence[str] | None = None) -> int:
    """Run the `soloist` command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit status: 0, 1 for what went wrong, 2 for wrong usage.
    """
    # One thread is what the figures promise, and OpenBLAS takes memory for each that it starts. It reads this when
    # numpy is imported, which is why every command imports what it needs by itself.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["train"]:
        return _train(arguments[1:])
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except ConfigError as error:
        _complain(error)
        return 2
    except SoloistError as error:
        _complain(error)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has had enough; Python would complain about it once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soloist", description="Says which instrument is in front.")
    parser.add_argument("--version", action="version", version=f"soloist {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], int], text: str, commands: Any = commands
    ) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text, argument_default=argparse.SUPPRESS
        )
        sub.set_defaults(command=command)
        return sub

    _add_settings(add("run", _run, "listen, and serve the dashboard and the WebSocket"))

    classify = add("classify", _classify, "tell what is in audio files")
    classify.add_argument("files", nargs="+", metavar="FILE")
    classify.add_argument("--json", action="store_true", default=False, help="one JSON object per file and line")
    classify.add_argument("--channel", type=int, metavar="N", help="listen to this channel, from 1, not to all")
    _add_recognition(classify)

    listen = add("listen", _listen, "subscribe to a running service and tell what it hears")
    listen.add_argument("url", nargs="?", default="127.0.0.1:8765", help="ws://HOST:PORT/ws or HOST:PORT")
    listen.add_argument("--json", action="store_true", default=False, help="every message as a line of JSON")
    listen.add_argument("--types", type=_names, metavar="A,B", help="types of messages")
    listen.add_argument("--instruments", type=_names, metavar="A,B", help="only these instruments")
    listen.add_argument("--min-confidence", type=float, metavar="P", help="only when at least this sure, 0 to 1")
    listen.add_argument("--max-rate", type=float, metavar="N", help="at most so many labels a second")
    listen.add_argument("--token", metavar="TEXT", help="what the server requires (or SOLOIST_TOKEN)")
    listen.add_argument("--ca", metavar="FILE", help="PEM file with the authority of a wss server's certificate")

    sessions = commands.add_parser("sessions", help="what was heard before", description="what was heard before")
    sessions.set_defaults(command=_sessions, log=None)
    sessions.add_argument("--log", metavar="FILE", help="the session log, if it is not where the settings say")
    kept = sessions.add_subparsers(metavar="ACTION")
    exported = add("export", _sessions_export, "write one to standard output, as the dashboard writes it", kept)
    exported.add_argument("id", type=int, metavar="ID", help="its number in the list")
    exported.add_argument("--format", choices=["json", "csv", "audacity"], default="json", help="of the file (json)")
    exported.add_argument("--log", metavar="FILE", help="the session log, if it is not where the settings say")

    add("devices", _devices, "list the inputs that PortAudio offers")

    config = commands.add_parser("config", help="look at the settings", description="look at the settings")
    actions = config.add_subparsers(required=True, metavar="ACTION")
    _add_settings(add("check", _config_check, "tell the settings, where they stand, and what cannot be used", actions))
    add("example", _config_example, "write a file of settings in which all are at their defaults", actions)

    install = add("install-service", _install_service, "have systemd run the service (writes its unit)")
    install.add_argument("--user", metavar="NAME", default=None, help="run as this user (one made up by systemd)")
    install.add_argument("--config", metavar="FILE", help="its settings (/etc/soloist/soloist.toml)")
    install.add_argument("--print", action="store_true", default=False, help="write the unit to standard output only")
    install.add_argument("--force", action="store_true", default=False, help="replace a unit that differs")

    bench = add("bench", _bench, "measure this machine")
    bench.add_argument("--json", action="store_true", default=False, help="one flat JSON object")
    bench.add_argument("--soak", type=float, metavar="HOURS", help="hear this much audio, and nothing else")
    bench.add_argument("--model", metavar="NAME|PATH", help="model to measure")

    commands.add_parser("train", help="the laboratory (needs the train extra)", add_help=False)
    return parser


def _add_settings(run: argparse.ArgumentParser) -> None:
    """Add all that `stream.config.Settings` holds."""
    run.add_argument("--config", metavar="FILE", help="TOML file with settings (or SOLOIST_CONFIG)")
    run.add_argument("--input", metavar="mic|demo|FILE|-", help="what to listen to (mic)")
    run.add_argument("--device", metavar="NAME", help="a part of the microphone's name; it is waited for")
    run.add_argument("--wait", action="store_true", help="wait for a microphone if there is none")
    run.add_argument("--channel", type=int, metavar="N", help="listen to this channel, from 1, not to all")
    run.add_argument("--pcm", metavar="s16le|f32le:RATE:CHANNELS", help="form of --input - (s16le:44100:1)")
    run.add_argument("--loop", action="store_true", help="begin a file again at its end")
    _add_recognition(run)
    run.add_argument("--host", metavar="H", help="address to listen on (127.0.0.1)")
    run.add_argument("--port", type=int, metavar="P", help="port to listen on, 0 for any (8765)")
    run.add_argument("--token", metavar="TEXT", help="what clients have to know (seen by all users of this machine)")
    run.add_argument("--token-file", metavar="FILE", help="a file that holds the token")
    run.add_argument("--open", action="store_true", help="let in everybody who reaches --host, without a token")
    run.add_argument("--hosts", type=_names, metavar="A,B", help="what the server is called, besides its own name")
    run.add_argument("--origins", type=_names, metavar="A,B", help="other pages that may connect: scheme://host:port")
    run.add_argument("--certificate", metavar="FILE", help="PEM file with a certificate, to serve with TLS")
    run.add_argument("--key", metavar="FILE", help="PEM file with its key, if it is not in the same file")
    run.add_argument("--connections", type=int, metavar="N", help="clients at the most (600)")
    run.add_argument("--connections-per-address", type=int, metavar="N", help="of one address, not loopback (32)")
    run.add_argument("--session-log", metavar="FILE|off", help="where to keep what is heard")
    run.add_argument("--session-log-days", type=int, metavar="N", help="how far it reaches back at the most (90)")
    run.add_argument("--session-log-megabytes", type=int, metavar="N", help="its size at the most (64)")
    run.add_argument("--log-level", choices=["debug", "info", "warning", "error"], help="how much to tell (warning)")
    run.add_argument("--log-format", choices=["text", "json"], help="lines for people, or JSON (text)")


def _add_recognition(parser: argparse.ArgumentParser) -> None:
    """Add what decides about labels, for live audio and files alike."""
    parser.add_argument("--instruments", type=_names, metavar="A,B", help="tonight's line-up: name only these")
    parser.add_argument("--hop", type=float, metavar="S", help="seconds from one estimate to the next (0.255)")
    parser.add_argument("--gate", type=float, metavar="DBFS", help="level below which it is silent (-70)")
    parser.add_argument("--model", metavar="NAME|PATH", help="a shipped model, or a .tflite with its .json")
    parser.add_argument("--runtime", choices=["auto", "litert", "tflite"], help="TFLite interpreter (auto)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads for one inference (1)")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _reading(options: argparse.Namespace, **more: Any) -> Reading:
    """Read the settings from flags, variables and file."""
    from stream import config

    known = config.names()
    flags = {name: value for name, value in vars(options).items() if name in known}
    return config.read(flags | more, os.environ, vars(options).get("config") or os.environ.get("SOLOIST_CONFIG"))


def _run(options: argparse.Namespace) -> int:
    import asyncio
    import faulthandler
    import logging

    from stream import config, gate, logs, quiet

    quiet.part_stderr()
    faulthandler.enable()  # says where every thread is when the watchdog of systemd has to end us
    reading = _reading(options)
    settings = reading.settings
    try:
        config.refuse(reading.problems)
        token = gate.token(settings)
    except ConfigError as error:
        logs.configure("warning", settings.log_format)
        logs.announce(reading.placed(error), logging.ERROR)
        return 2
    logs.configure(settings.log_level, settings.log_format, token)
    from stream.notify import Notifier
    from stream.service import Service

    notifier = Notifier()
    listening: list[str] = []  # where, once we are

    def tell(address: str) -> None:
        listening.append(address)
        logs.announce(f"listening on {address}", address=address)
        notifier.ready(f"listening on {address}")

    async def serve() -> None:
        try:
            service = Service(settings)
        except (ConfigError, ModelError) as error:
            # Here alone, for it takes time: tell where the setting stands that is at fault.
            from stream import checkup

            problems = checkup.problems(reading)
            raise type(error)(config.in_short(problems or [reading.placed(error)])) from error
        service.on_alive, service.on_status = notifier.alive, notifier.status
        running = asyncio.current_task()
        assert running is not None

        def end() -> None:
            notifier.stopping()
            running.cancel()

        one_by_one = asyncio.Lock()
        reloading: set[asyncio.Task[None]] = set()  # which nobody else keeps

        async def reload() -> None:
            async with one_by_one:
                notifier.reloading()
                try:
                    await _reload(options, service)
                finally:
                    notifier.ready(f"listening on {listening[0]}")

        def begin_reload() -> None:
            if listening:  # or the settings were read just now
                task = loop.create_task(reload())
                reloading.add(task)
                task.add_done_callback(reloading.discard)

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end)
        loop.add_signal_handler(signal.SIGHUP, begin_reload)
        await service.run(tell)

    try:
        asyncio.run(serve())
    except asyncio.CancelledError:
        pass  # the user's signal, the one thing that stops the service
    except SoloistError as error:
        lost = isinstance(error, SourceLostError)
        hint = "; connect one and name it with --device, or hear --input demo" if lost else ""
        logs.announce(f"{error}{hint}", logging.ERROR)
        return 2 if isinstance(error, ConfigError) else 1
    return 0


async def _reload(options: argparse.Namespace, service: Service) -> None:
    """Read the settings again and go on with them, or with the old ones if they cannot be used."""
    import asyncio
    import logging

    from stream import checkup, config, gate, logs

    reading = _reading(options)
    try:
        config.refuse(reading.problems)
        settings = reading.settings
        token = gate.token(settings)
        later = await service.reload(settings)
    except SoloistError as error:
        problems = reading.problems or await asyncio.to_thread(checkup.problems, reading)
        reason = config.in_short(problems or [reading.placed(error)])
        logs.announce(f"the settings stay as they were: {reason}", logging.ERROR)
        return
    logs.configure(settings.log_level, settings.log_format, token)
    for name in later:
        logs.announce(f"{reading.called(name)} changes with the next start", logging.WARNING)
    logs.announce("the settings were read again")


def _config_check(options: argparse.Namespace) -> int:
    from stream import checkup

    reading = _reading(options)
    sys.stdout.write(checkup.table(reading))
    sys.stdout.flush()
    for stray in checkup.strays(os.environ):
        _complain(f"note: {stray}")
    problems = reading.problems + checkup.problems(reading)
    for problem in problems:
        _complain(problem)
    return 2 if problems else 0


def _config_example(options: argparse.Namespace) -> int:
    from stream import unit

    sys.stdout.write(unit.example())
    return 0


def _install_service(options: argparse.Namespace) -> int:
    from pathlib import Path

    from stream import config, unit

    named = vars(options).get("config")
    file = Path(named).absolute() if named else unit.CONFIG
    content = unit.text(options.user, file, run=unit.command(), needed=unit.installation())
    if options.print:
        sys.stdout.write(content)
        return 0
    if unit.install(content, force=options.force):
        sys.stdout.write(f"wrote {unit.UNIT}\n")
    else:
        sys.stdout.write(f"{unit.UNIT} is up to date\n")
    if not named and unit.install_example():
        sys.stdout.write(f"wrote {file}: settings, all at their defaults\n")
    sys.stdout.write(
        "start it now and whenever the machine starts:\n"
        "  sudo systemctl daemon-reload\n"
        "  sudo systemctl enable --now soloist\n"
    )
    sys.stdout.flush()
    for problem in config.read({}, {}, file).problems:
        _complain(problem)
    return 0


def _classify(options: argparse.Namespace) -> int:
    from stream import bundle, checkup, config, report
    from stream.classifier import Classifier
    from stream.classify import classify

    reading = _reading(options, input="-")
    config.refuse(reading.problems)
    settings = reading.settings
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
                channel=settings.channel,
            )
        except SoloistError as error:
            _complain(error)
            failed = 1
            continue
        if timeline.invalid:
            _complain(f"{file}: {timeline.invalid} samples are not numbers; they are taken as zeros")
        sys.stdout.write(report.as_json(timeline) if options.json else report.as_text(timeline))
        sys.stdout.flush()
    return failed


def _listen(options: argparse.Namespace) -> int:
    import asyncio

    from stream.listen import listen

    wanted = {
        key: value
        for key, value in vars(options).items()
        if key in ("types", "instruments", "min_confidence", "max_rate")
    }
    token = vars(options).get("token") or os.environ.get("SOLOIST_TOKEN")
    asyncio.run(listen(options.url, wanted, token, options.json, vars(options).get("ca")))
    return 0


def _log_path(options: argparse.Namespace) -> Path:
    from stream import config, sessions

    if options.log is not None:
        return sessions.path(config.Settings(), options.log)
    return sessions.path(config.load({}, os.environ, os.environ.get("SOLOIST_CONFIG")))


def _sessions(options: argparse.Namespace) -> int:
    from stream import sessions

    sys.stdout.write(sessions.table(_log_path(options)))
    return 0


def _sessions_export(options: argparse.Namespace) -> int:
    from stream import sessions

    text = sessions.export_session(_log_path(options), options.id, options.format)
    sys.stdout.buffer.write(text.encode())  # the files are UTF-8, whatever the terminal is
    sys.stdout.flush()
    return 0


def _devices(options: argparse.Namespace) -> int:
    from stream import microphone

    found = microphone.devices()
    if not found:
        _complain("no microphone or line input found")
        return 1
    for device in found:
        mark = "*" if device.default else " "
        channels = f"{device.channels} channel{'s' if device.channels != 1 else ''}"
        sys.stdout.write(f"{mark} {device.name}  ({device.api}, {channels}, {device.rate} Hz)\n")
    return 0


def _bench(options: argparse.Namespace) -> int:
    from stream import bench

    model = vars(options).get("model")
    soak = vars(options).get("soak")
    figures = bench.soak(soak, model) if soak is not None else bench.measure(model)
    sys.stdout.write(bench.as_json(figures) if options.json else bench.as_table(figures))
    return 0


def _train(arguments: list[str]) -> int:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow would tell of GPUs that are not there
    try:
        from train.__main__ import main as train
    except ImportError as error:
        _complain(f"the laboratory is not installed ({error.name} is missing): pip install 'soloist[train]'")
        return 1
    return int(train(arguments))


def _complain(what: object) -> None:
    sys.stderr.write(f"soloist: {what}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
