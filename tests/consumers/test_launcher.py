"""The check that stands before the command, in a real process with real foreign packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from consumers import launcher

PROJECT = Path(launcher.__file__).parents[1]
OURS = '"""{name}: a part of streamfit."""\n'
FOREIGN = '"""Somebody else\'s package."""\nraise RuntimeError("this must not be imported")\n'


def package(folder: Path, name: str, source: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(source)
    return folder / name


def installation(folder: Path, cli: str) -> Path:
    """Lay out the files as the wheel does, with a command line that only tells that it ran."""
    folder.mkdir()
    for name in launcher.PACKAGES:
        package(folder, name, OURS.format(name=name))
    (folder / "consumers" / "cli.py").write_text(cli)
    (folder / "streamfit.py").write_text(Path(launcher.__file__).read_text())
    return folder


def run(*paths: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    return subprocess.run(
        # -S: nothing that happens to be installed beside the test may answer for a package.
        [sys.executable, "-S", "-P", "-m", "streamfit"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_command_line_runs_and_its_exit_code_is_the_processs(tmp_path: Path) -> None:
    home = installation(tmp_path / "home", "def main() -> int:\n    print('ran')\n    return 4\n")
    done = run(home)
    assert (done.returncode, done.stdout, done.stderr) == (4, "ran\n", "")


@pytest.mark.parametrize("name", ["metrics", "consumers"])
def test_a_foreign_package_ends_the_command_with_one_line_that_says_where_it_is(
    tmp_path: Path, name: str
) -> None:
    home = installation(tmp_path / "home", "def main() -> int:\n    return 0\n")
    foreign = package(tmp_path / "elsewhere", name, FOREIGN)
    done = run(foreign.parent, home)
    assert done.returncode == 70
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"'{name}'" in line
    assert str(foreign) in line
    assert f"take {foreign.parent} off PYTHONPATH" in line


def test_a_single_module_or_a_bare_folder_in_a_packages_place_is_foreign(tmp_path: Path) -> None:
    home = installation(tmp_path / "home", "def main() -> int:\n    return 0\n")
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "learners.py").write_text(FOREIGN)
    done = run(modules, home)
    assert done.returncode == 70
    assert str(modules / "learners.py") in done.stderr
    (home / "producers" / "__init__.py").unlink()
    done = run(home)
    assert done.returncode == 70
    assert "'producers'" in done.stderr


def test_packages_of_two_copies_of_streamfit_do_not_run_together(tmp_path: Path) -> None:
    home = installation(tmp_path / "home", "def main() -> int:\n    return 0\n")
    other = package(tmp_path / "other", "metrics", OURS.format(name="metrics")).parent
    done = run(other, home)
    assert done.returncode == 70
    assert str(home) in done.stderr
    assert str(other) in done.stderr


def test_a_package_that_is_missing_is_named(tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "streamfit.py").write_text(Path(launcher.__file__).read_text())
    done = run(alone)
    assert done.returncode == 70
    assert done.stderr == (
        "streamfit: its package 'consumers' is not installed; install streamfit again\n"
    )


def test_this_projects_own_packages_pass() -> None:
    assert launcher.foreign_package() is None
    assert launcher._locate("consumers") == PROJECT / "consumers"


def test_the_installed_command_refuses_a_foreign_package(tmp_path: Path) -> None:
    command = Path(sys.executable).parent / "streamfit"
    if not command.exists():
        pytest.skip("streamfit is not installed in this environment: run make test")
    foreign = package(tmp_path / "elsewhere", "metrics", FOREIGN)
    done = subprocess.run(
        [command, "--help"],
        env={**os.environ, "PYTHONPATH": str(foreign.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 70
    assert str(foreign) in done.stderr
    assert len(done.stderr.splitlines()) == 1
