"""The unit for systemd, and its installation."""

from __future__ import annotations

import grp
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from stream.errors import InstallError
from stream.settings.reading import load
from stream.settings.settings import Settings
from stream.system.systemd_unit import (
    install_example_settings,
    install_unit,
    install_unit_and_settings,
    installed_folders,
    launch_command,
    render_unit,
)

OURS = [Path("/opt/soloist")]


def lines(text: str) -> dict[str, list[str]]:
    """Values of each directive."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"(?m)^(\w+)=(.*)$", text):
        found.setdefault(name, []).append(value)
    return found


def test_the_unit_runs_this_installation_with_its_settings() -> None:
    """The command is the one that was called, the settings are named, and nobody but the service can be it."""
    directives = lines(render_unit(run=["/opt/soloist/bin/soloist"], needed=OURS))
    assert directives["ExecStart"] == ["/opt/soloist/bin/soloist run --wait --config /etc/soloist/soloist.toml"]
    assert directives["ExecReload"] == ['/bin/sh -c "kill -HUP $MAINPID"']
    assert (directives["DynamicUser"], directives["User"]) == (["yes"], ["soloist"])
    assert directives["ProtectHome"] == ["yes"]
    assert directives["OOMPolicy"] == ["continue"]
    assert "BindReadOnlyPaths" not in directives
    assert "@" not in re.sub(r"=~?@[a-z]+(-[a-z]+)?( @[a-z]+)*\n", "\n", render_unit(run=["/x"], needed=OURS))
    assert Path(launch_command()[0]).is_file()


def test_a_user_may_be_named() -> None:
    """The service runs as the user that is named, if there is one."""
    directives = lines(render_unit("root", run=["/x"], needed=OURS))
    assert directives["User"] == ["root"]
    assert "DynamicUser" not in directives
    with pytest.raises(InstallError, match="--user is 'no-body'; there is no such user"):
        render_unit("no-body", run=["/x"], needed=OURS)


def test_of_homes_only_the_installation_can_be_seen() -> None:
    """The folders of an installation in a home are shown to the service, and nothing else of the homes is."""
    needed = [Path("/home/pi/soloist/.venv"), Path("/home/pi/soloist"), Path("/usr"), Path("/root/a b:c")]
    text = render_unit(run=["/home/pi/soloist/.venv/bin/soloist"], needed=needed, config=Path("/home/pi/my.toml"))
    directives = lines(text)
    assert directives["ProtectHome"] == ["tmpfs"]
    assert directives["BindReadOnlyPaths"] == ['/home/pi/my.toml /home/pi/soloist "/root/a b\\\\:c"']


def test_paths_are_written_so_that_systemd_reads_them() -> None:
    """Spaces, quotes, percent and dollar signs of paths survive."""
    text = render_unit(run=["/opt/my 100%/bin/soloist"], needed=OURS, config=Path('/etc/so"lo $x.toml'))
    assert lines(text)["ExecStart"] == ['"/opt/my 100%%/bin/soloist" run --wait --config "/etc/so\\"lo $$x.toml"']


def test_the_unit_is_written_once(tmp_path: Path) -> None:
    """It is written whole and for all to read; the same again changes nothing; another one needs --force."""
    path = tmp_path / "soloist.service"
    assert install_unit("one\n", path) is True
    assert path.read_text() == "one\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    before = path.stat()
    assert install_unit("one\n", path) is False
    assert path.stat() == before
    with pytest.raises(InstallError, match=r"soloist\.service exists and differs; --force replaces it"):
        install_unit("two\n", path)
    assert path.read_text() == "one\n"
    assert install_unit("two\n", path, force=True) is True
    assert path.read_text() == "two\n"
    assert os.listdir(tmp_path) == ["soloist.service"]


def test_without_systemd_there_is_an_error(tmp_path: Path) -> None:
    """Where systemd has no folder, that is said, and that the unit can be printed."""
    with pytest.raises(InstallError, match=r"there is no .*/none, so no systemd; --print shows the unit"):
        install_unit("x", tmp_path / "none" / "soloist.service")


def test_what_cannot_be_written_is_one_line() -> None:
    """A folder that takes no file, /proc here, which even root cannot write to, is an error of one line."""
    with pytest.raises(InstallError, match=r"^cannot write /proc/self/soloist\.service: [^\n]+$"):
        install_unit("x", Path("/proc/self/soloist.service"))
    with pytest.raises(InstallError, match=r"^cannot write /proc/self/none/soloist\.toml: [^\n]+$"):
        install_example_settings(Path("/proc/self/none/soloist.toml"))


def test_the_example_is_installed_for_the_service_alone(tmp_path: Path) -> None:
    """Root writes it, the group reads it, nobody else, and what is there is left alone."""
    group = grp.getgrgid(os.getgid()).gr_name
    path = tmp_path / "etc" / "soloist.toml"
    assert install_example_settings(path, group) is True
    assert load({}, {}, path) == Settings()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.write_text("port = 1\n")
    assert install_example_settings(path, group) is False
    assert path.read_text() == "port = 1\n"
    with pytest.raises(InstallError, match=r"other\.toml: this system has no group 'no-group-of-ours'"):
        install_example_settings(tmp_path / "other.toml", "no-group-of-ours")
    assert not (tmp_path / "other.toml").exists()


def test_a_service_is_installed_whole_or_not_at_all(tmp_path: Path) -> None:
    """Where the settings cannot be written there is no unit, and where the unit cannot, there are no settings."""
    group = grp.getgrgid(os.getgid()).gr_name
    service, settings = tmp_path / "soloist.service", tmp_path / "etc" / "soloist" / "soloist.toml"
    for unwritable, whose in ((Path("/proc/self/none/soloist.toml"), group), (settings, "no-group-of-ours")):
        with pytest.raises(InstallError, match=f"cannot write {unwritable}"):
            install_unit_and_settings("x", service, unwritable, whose)
        assert os.listdir(tmp_path) == []
    with pytest.raises(InstallError, match=r"cannot write /proc/self/soloist\.service"):
        install_unit_and_settings("x", Path("/proc/self/soloist.service"), settings, group)
    assert os.listdir(tmp_path) == []
    assert install_unit_and_settings("x", service, settings, group) == (True, True)
    settings.write_text("port = 1\n")
    with pytest.raises(InstallError, match="exists and differs"):
        install_unit_and_settings("y", service, settings, group)
    assert install_unit_and_settings("y", service, settings, group, force=True) == (True, False)
    assert (service.read_text(), settings.read_text()) == ("y", "port = 1\n")


@pytest.fixture
def analyze(tmp_path: Path) -> tuple[str, Path]:
    """systemd-analyze, and the unit of an installation that is really there."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("needs systemd-analyze: apt install systemd")
    path = tmp_path / "soloist.service"
    path.write_text(render_unit(run=launch_command(), needed=installed_folders()))
    return tool, path


def test_systemd_finds_nothing_wrong_with_the_unit(analyze: tuple[str, Path]) -> None:
    """`systemd-analyze verify` has nothing to say."""
    tool, path = analyze
    done = subprocess.run([tool, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "soloist" in line]
    assert (done.returncode, ours) == (0, [])


def test_the_unit_is_hardened(analyze: tuple[str, Path]) -> None:
    """`systemd-analyze security` rates the exposure of the service at 2 of 10 at the most."""
    tool, path = analyze
    command = [tool, "security", "--no-pager", "--offline=true", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rated = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert rated is not None, done.stderr
    assert float(rated[1]) <= 2
