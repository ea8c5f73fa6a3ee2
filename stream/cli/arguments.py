"""What `soloist` can be told on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from stream import __version__
from stream.cli import bench, commands


class _Parser(argparse.ArgumentParser):
    """One whose complaint about what it does not know shows how this command is used, not the whole program."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Return what is known, and nothing else."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line. The `command` of what it has read takes that, and returns an exit status."""
    parser = _Parser(prog="soloist", description="Says which instrument is in front.")
    parser.add_argument("--version", action="version", version=f"soloist {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], int], text: str, among: Any = subparsers
    ) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = among.add_parser(
            name, help=text, description=text, argument_default=argparse.SUPPRESS
        )
        sub.set_defaults(command=command)
        return sub

    _add_settings(add("run", commands.run, "listen, and serve the dashboard and the WebSocket"))

    classify = add("classify", commands.classify_files, "tell what is in audio files")
    classify.add_argument("files", nargs="+", metavar="FILE")
    classify.add_argument("--json", action="store_true", default=False, help="one JSON object per file and line")
    classify.add_argument("--channel", metavar="N", help="listen to this channel, from 1, not to all")
    _add_recognition(classify)

    listen = add("listen", commands.subscribe, "subscribe to a running service and tell what it hears")
    listen.add_argument("url", nargs="?", default="127.0.0.1:8765", help="ws://HOST:PORT/ws, HOST:PORT or HOST")
    listen.add_argument("--json", action="store_true", default=False, help="every message as a line of JSON")
    listen.add_argument("--types", type=_names, metavar="A,B", help="types of messages")
    listen.add_argument("--instruments", type=_names, metavar="A,B", help="only these instruments")
    listen.add_argument("--min-confidence", type=float, metavar="P", help="only when at least this sure, 0 to 1")
    listen.add_argument("--max-rate", type=float, metavar="N", help="at most so many labels a second")
    listen.add_argument("--token", metavar="TEXT", help="what the server requires (or SOLOIST_TOKEN)")
    listen.add_argument("--token-file", metavar="FILE", help="a file that holds it (or SOLOIST_TOKEN_FILE)")
    listen.add_argument("--ca", metavar="FILE", help="PEM file with the authority of a wss server's certificate")

    sessions = subparsers.add_parser("sessions", help="what was heard before", description="what was heard before")
    sessions.set_defaults(command=commands.list_sessions, log=None)
    sessions.add_argument("--log", metavar="FILE", help="the session log, if it is not where the settings say")
    kept = sessions.add_subparsers(metavar="ACTION")
    exported = add("export", commands.export_session, "write one to standard output, as the dashboard writes it", kept)
    exported.add_argument("id", type=int, metavar="ID", help="its number in the list")
    exported.add_argument("--format", choices=["json", "csv", "audacity"], default="json", help="of the file (json)")
    exported.add_argument("--log", metavar="FILE", help="the session log, if it is not where the settings say")
    copied = add("copy", commands.copy_sessions, "copy all to a file, also while the service runs", kept)
    copied.add_argument("file", metavar="FILE", help="the copy, which is whole by itself; a new file")
    copied.add_argument("--log", metavar="FILE", help="the session log, if it is not where the settings say")

    add("devices", commands.list_devices, "list the inputs that PortAudio offers")

    config = subparsers.add_parser("config", help="look at the settings", description="look at the settings")
    actions = config.add_subparsers(required=True, metavar="ACTION")
    _add_settings(
        add("check", commands.check_settings, "tell the settings, where they stand, and what cannot be used", actions)
    )
    add("example", commands.write_example, "write a file of settings in which all are at their defaults", actions)

    install = add("install-service", commands.install_service, "have systemd run the service (writes its unit)")
    install.add_argument("--user", metavar="NAME", default=None, help="run as this user (one made up by systemd)")
    install.add_argument("--config", metavar="FILE", help="its settings (/etc/soloist/soloist.toml)")
    install.add_argument("--print", action="store_true", default=False, help="write the unit to standard output only")
    install.add_argument("--force", action="store_true", default=False, help="replace a unit that differs")

    bench.add_arguments(add("bench", bench.execute, bench.HELP))

    subparsers.add_parser("train", help="the laboratory (needs the train extra)", add_help=False)
    return parser


def _add_settings(run: argparse.ArgumentParser) -> None:
    """Add all that `stream.settings.settings.Settings` holds, as texts: that module says what is wrong with them."""
    run.add_argument("--config", metavar="FILE", help="TOML file with settings (or SOLOIST_CONFIG)")
    run.add_argument("--input", metavar="mic|demo|FILE|-", help="what to listen to (mic)")
    run.add_argument("--device", metavar="NAME", help="a part of the microphone's name; it is waited for")
    run.add_argument("--wait", action="store_true", help="wait for a microphone if there is none")
    run.add_argument("--channel", metavar="N", help="listen to this channel, from 1, not to all")
    run.add_argument("--pcm", metavar="s16le|f32le:RATE:CHANNELS", help="form of --input - (s16le:44100:1)")
    run.add_argument("--loop", action="store_true", help="begin a file again at its end")
    _add_recognition(run)
    run.add_argument("--host", metavar="H", help="address to listen on (127.0.0.1)")
    run.add_argument("--port", metavar="P", help="port to listen on, 0 for any (8765)")
    run.add_argument("--token", metavar="TEXT", help="what clients have to know (seen by all users of this machine)")
    run.add_argument("--token-file", metavar="FILE", help="a file that holds the token")
    run.add_argument("--open", action="store_true", help="let in everybody who reaches --host, without a token")
    run.add_argument("--hosts", metavar="A,B", help="what the server is called, besides its own name")
    run.add_argument("--origins", metavar="A,B", help="other pages that may connect: scheme://host:port")
    run.add_argument("--certificate", metavar="FILE", help="PEM file with a certificate, to serve with TLS")
    run.add_argument("--key", metavar="FILE", help="PEM file with its key, if it is not in the same file")
    run.add_argument("--connections", metavar="N", help="clients at the most (600)")
    run.add_argument("--connections-per-address", metavar="N", help="of one address, not loopback (32)")
    run.add_argument("--session-log", metavar="FILE|off", help="where to keep what is heard")
    run.add_argument("--session-log-days", metavar="N", help="how far it reaches back at the most (90)")
    run.add_argument("--session-log-megabytes", metavar="N", help="its size at the most (64)")
    run.add_argument("--log-level", metavar="debug|info|warning|error", help="how much to tell (warning)")
    run.add_argument("--log-format", metavar="text|json", help="lines for people, or JSON (text)")


def _add_recognition(parser: argparse.ArgumentParser) -> None:
    """Add what decides about labels, for live audio and files alike."""
    parser.add_argument("--instruments", metavar="A,B", help="tonight's line-up: name only these")
    parser.add_argument("--hop", metavar="S", help="seconds from one estimate to the next (0.255)")
    parser.add_argument("--gate", metavar="DBFS", help="level below which it is silent (-70)")
    parser.add_argument("--model", metavar="NAME|PATH", help="a shipped model, or a .tflite with its .json")
    parser.add_argument("--runtime", metavar="auto|litert|tflite", help="TFLite interpreter (auto)")
    parser.add_argument("--threads", metavar="N", help="threads for one inference (1)")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
