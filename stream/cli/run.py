"""`soloist run`: the service."""

from __future__ import annotations

import argparse

from stream.cli.settings_flags import add_settings, sources

HELP = "listen continuously, and serve the dashboard and the WebSocket"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the service can be told: all settings."""
    add_settings(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Run the service."""
    from stream.service import process
    from stream.settings.reading import read

    return process.run(lambda: read(*sources(options)))
