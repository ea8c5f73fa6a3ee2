"""`soloist install-service`: the service as one of the system's."""

from __future__ import annotations

import argparse
import sys

from stream.system.terminal import print_error

HELP = "install the systemd unit of the service"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how it is to be run."""
    parser.add_argument(
        "--user", metavar="NAME", default=None, help="run as this user (by default one that systemd creates)"
    )
    parser.add_argument("--config", metavar="FILE", help="settings of the service (/etc/soloist/soloist.toml)")
    parser.add_argument(
        "--print", action="store_true", default=False, help="write the unit to standard output, and change nothing"
    )
    parser.add_argument("--force", action="store_true", default=False, help="replace a unit that differs")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Write the unit of systemd, and a file of settings if there is none."""
    from pathlib import Path

    from stream.settings.reading import read
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
    for problem in read({}, {}, file).problems:
        print_error(problem)
    return 0
