"""Where the command starts: checks that the four packages are streamfit's own, then runs them.

The wheel carries this file as the top-level module `streamfit`, since the names of the packages are
common words that another distribution, or a folder on PYTHONPATH, may use too. So it imports none
of them before it has looked.
"""

import gc
import importlib.util
import sys
from pathlib import Path

PACKAGES = ("consumers", "producers", "learners", "metrics")
EXIT_BUG = 70  # sysexits.h: EX_SOFTWARE
# New objects between two looks of the garbage collector. What imports make stays: to look through
# it as often as by default takes an eighth of their time.
COLLECT_EVERY = 200_000


def main() -> int:
    """Run the command line.

    Returns
    -------
    int
        Its exit code; 70 where one of the four packages is not streamfit's.
    """
    problem = foreign_package()
    if problem is not None:
        print(f"streamfit: {problem}", file=sys.stderr)  # noqa: T201 - no logger, no rich yet
        return EXIT_BUG
    gc.set_threshold(COLLECT_EVERY)
    from consumers import cli  # noqa: PLC0415 - only now is it known whose `consumers` this is

    return cli.main()


def foreign_package() -> str | None:
    """Look for a package of ours whose place is taken, without importing any.

    Returns
    -------
    str or None
        One line that names the package, what is in its place, and the mend; None if all are ours.
    """
    home: Path | None = None
    for name in PACKAGES:
        folder = _locate(name)
        if folder is None:
            return f"its package {name!r} is not installed; install streamfit again"
        if not _is_ours(folder):
            return (
                f"its package {name!r} is hidden by another one, {folder}; take {folder.parent} "
                "off PYTHONPATH, or install streamfit into a virtual environment of its own"
            )
        home = home or folder.parent
        if folder.parent != home:
            return (
                f"its package {name!r} comes from {folder.parent}, the ones before it from {home}; "
                "take one of the two off PYTHONPATH, or remove one installation"
            )
    return None


def _locate(name: str) -> Path | None:
    """Give the folder, or the file, that `import name` would take."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    folders = spec.submodule_search_locations
    place = next(iter(folders)) if folders else spec.origin
    return None if place is None else Path(place).resolve()


def _is_ours(folder: Path) -> bool:
    """Tell whether a package's first line names streamfit, as each of our four does."""
    try:
        with (folder / "__init__.py").open(encoding="utf-8", errors="replace") as source:
            return "streamfit" in source.readline()
    except OSError:  # no such file: a single module, or a folder without one
        return False


if __name__ == "__main__":
    sys.exit(main())
