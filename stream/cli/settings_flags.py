"""Flags for settings, which several commands take."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add all that `stream.settings.settings.Settings` holds, as texts: that room says what is wrong with them."""
    add = parser.add_argument
    add("--config", metavar="FILE", help="TOML file with settings (or SOLOIST_CONFIG)")
    add("--input", metavar="mic|demo|FILE|-", help="what to listen to (mic)")
    add("--device", metavar="NAME", help="part of the input's name; Soloist waits for the device")
    add("--wait", action="store_true", help="wait for an input if there is none")
    add("--channel", metavar="N", help="listen to this channel only, counted from 1")
    add(
        "--line",
        action="append",
        metavar="NAME=CHANNELS[:A,B]|each",
        help="hear channels as a line of their own, once for each: Anna=3:violin; or every channel",
    )
    add(
        "--pcm",
        metavar="FORM:RATE:CHANNELS",
        help="raw audio on standard input: s16le, s24le, s32le or f32le (s16le:44100:1)",
    )
    add("--loop", action="store_true", help="play a file again and again")
    add_recognition(parser)
    add("--host", metavar="H", help="address to listen on (127.0.0.1)")
    add("--port", metavar="P", help="port to listen on, 0 for any free one (8765)")
    add("--token", metavar="TEXT", help="secret that clients must send (visible to all users of this machine)")
    add("--token-file", metavar="FILE", help="file that contains the token")
    add("--open", action="store_true", help="admit everybody who can reach --host, without a token")
    add("--hosts", metavar="A,B", help="further names of this server, besides the machine's own")
    add("--origins", metavar="A,B", help="pages of other servers that may connect: scheme://host:port")
    add("--frame-ancestors", metavar="A,B", help="pages that may show Soloist in a frame: self, scheme://host:port")
    add("--certificate", metavar="FILE", help="PEM file with a certificate, to serve with TLS")
    add("--key", metavar="FILE", help="PEM file with its key, if not in the same file")
    add("--control", action="store_true", help="clients that know the token may change the service")
    add("--connections", metavar="N", help="maximum number of clients (600)")
    add("--connections-per-address", metavar="N", help="maximum number per address, except loopback (32)")
    add("--session-log", metavar="FILE|off", help="file in which to keep what is heard")
    add("--session-log-days", metavar="N", help="days after which its entries are deleted (90)")
    add("--session-log-megabytes", metavar="N", help="maximum size of that file in MiB (64)")
    add("--log-level", metavar="debug|info|warning|error", help="least severe messages to log (warning)")
    add("--log-format", metavar="text|json", help="lines of text or of JSON (text)")


def add_recognition(parser: argparse.ArgumentParser) -> None:
    """Add what decides about labels, for live audio and files alike."""
    add = parser.add_argument
    add(
        "--instruments",
        metavar="A,B",
        help="tonight's line-up: name only these instruments, or all that the model knows",
    )
    add("--hop", metavar="S", help="seconds from one estimate to the next (0.255)")
    add("--gate", metavar="DBFS", help="level below which the input counts as silent (-70)")
    add("--threshold", metavar="P", help="probability from which an instrument is named (the model's)")
    add("--model", metavar="NAME|PATH", help="a model that comes with Soloist, or a .tflite beside its .json")
    add("--players", metavar="FOLDER", help="taught players, whose names are labels besides the model's (none)")
    add("--runtime", metavar="auto|litert|tflite", help="TFLite interpreter (auto)")
    add("--threads", metavar="N", help="threads for one inference (1)")


def sources(options: argparse.Namespace, **more: Any) -> tuple[dict[str, Any], Mapping[str, str], str | None]:
    """Return what can say how something is set, as `stream.settings.reading.read` takes it.

    Parameters
    ----------
    options : argparse.Namespace
    **more
        What is set by the command itself, as by a flag.
    """
    from stream.settings.settings import names

    known = [*names(), "line"]
    flags = {name: value for name, value in vars(options).items() if name in known}
    return flags | more, os.environ, vars(options).get("config") or os.environ.get("SOLOIST_CONFIG")
