"""`soloist devices`: which inputs there are."""

from __future__ import annotations

import argparse
import sys

from stream.system.terminal import print_error

HELP = "list the inputs that PortAudio offers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: there is nothing to choose."""
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """List the inputs, one in each line, the default one with a star."""
    from stream.audio.devices import list_devices

    found = list_devices()
    if not found:
        print_error("no microphone or line input found")
        return 1
    for device in found:
        mark = "*" if device.default else " "
        channels = f"{device.channels} channel{'s' if device.channels != 1 else ''}"
        sys.stdout.write(f"{mark} {device.name}  ({device.api}, {channels}, {device.rate} Hz)\n")
    return 0
