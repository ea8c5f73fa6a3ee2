"""The command line: the only place that parses arguments and prints."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from stream import __version__
from stream.errors import ConfigError, SoloistError, SourceLostError

if TYPE_CHECKING:
    from stream.classifier import Classifier


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

    def add(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, argument_default=argparse.SUPPRESS)
        sub.set_defaults(command=command)
        return sub

    run = add("run", _run, "listen, and serve the dashboard and the WebSocket")
    run.add_argument("--config", metavar="FILE", help="TOML file with settings")
    run.add_argument("--input", metavar="mic|demo|FILE|-", help="what to listen to (mic)")
    run.add_argument("--device", metavar="NAME", help="a part of the microphone's name; it is waited for")
    run.add_argument("--wait", action="store_true", help="wait for a microphone if there is none")
    run.add_argument("--channel", type=int, metavar="N", help="listen to this channel, from 1, not to all")
    run.add_argument("--pcm", metavar="s16le|f32le:RATE:CHANNELS", help="form of --input - (s16le:44100:1)")
    run.add_argument("--loop", action="store_true", help="begin a file again at its end")
    _add_recognition(run)
    run.add_argument("--host", metavar="H", help="address to listen on (127.0.0.1)")
    run.add_argument("--port", type=int, metavar="P", help="port to listen on, 0 for any (8765)")
    run.add_argument("--token", metavar="TEXT", help="what clients have to know")
    run.add_argument("--log-level", choices=["debug", "info", "warning", "error"], help="how much to tell (warning)")

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

    add("devices", _devices, "list the inputs that PortAudio offers")

    bench = add("bench", _bench, "measure this machine")
    bench.add_argument("--json", action="store_true", default=False, help="one flat JSON object")
    bench.add_argument("--soak", type=float, metavar="HOURS", help="hear this much audio, and nothing else")
    bench.add_argument("--model", metavar="NAME|PATH", help="model to measure")

    commands.add_parser("train", help="the laboratory (needs the train extra)", add_help=False)
    return parser


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


def _settings(options: argparse.Namespace, **more: Any) -> Any:
    from stream import config

    known = config.names()
    flags = {name: value for name, value in vars(options).items() if name in known}
    return config.load(flags | more, os.environ, vars(options).get("config"))


def _run(options: argparse.Namespace) -> int:
    import asyncio
    import logging

    settings = _settings(options)
    logging.basicConfig(format="soloist: %(message)s", level=settings.log_level.upper())
    from stream.service import Service

    async def serve() -> None:
        service = Service(settings)
        running = asyncio.current_task()
        assert running is not None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.cancel)
        await service.run(lambda address: _complain(f"listening on {address}"))

    try:
        asyncio.run(serve())
    except asyncio.CancelledError:
        pass  # the user's signal, the one thing that stops the service
    except SourceLostError as error:
        _complain(f"{error}; connect one and name it with --device, or hear --input demo")
        return 1
    return 0


def _classify(options: argparse.Namespace) -> int:
    from stream import report
    from stream.classify import classify

    settings = _settings(options, input="-")
    classifier = _classifier(settings)
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


def _classifier(settings: Any) -> Classifier:
    from stream import bundle
    from stream.classifier import Classifier

    return Classifier(bundle.load(settings.model), runtime=settings.runtime, threads=settings.threads)


def _listen(options: argparse.Namespace) -> int:
    import asyncio

    from stream.listen import listen

    wanted = {
        key: value
        for key, value in vars(options).items()
        if key in ("types", "instruments", "min_confidence", "max_rate")
    }
    token = vars(options).get("token") or os.environ.get("SOLOIST_TOKEN")
    asyncio.run(listen(options.url, wanted, token, options.json))
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
