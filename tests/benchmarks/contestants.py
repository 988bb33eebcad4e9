"""Who takes part, in which virtual environment, and what is not equal between them."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_PROJECT = HERE.parents[1]
ENVIRONMENTS = _PROJECT / ".cache" / "bench"
_INSTALL_TIMEOUT_S = 600.0
_CLIENT = ("confluent-kafka==2.16.1", "orjson==3.11.4", "river==0.26.1")


@dataclass(frozen=True, slots=True)
class Contestant:
    """One program that does the whole job.

    Attributes
    ----------
    name : str
        As the page says it.
    script : str or None
        In `peers/`; None for streamfit itself.
    needs : tuple of str
        What is installed for it, with exact versions.
    commits : str
        What it promises, for the page.
    prefix : bool
        Whether it takes a prefix of the topic of about 20 s: too slow for all of it.
    delivery : str or None
        Of streamfit.
    """

    name: str
    script: str | None
    needs: tuple[str, ...]
    commits: str
    prefix: bool = False
    delivery: str | None = None


STREAMFIT = "streamfit, at_least_once"
EXACTLY_ONCE = "streamfit, exactly_once"
RIVER = "confluent-kafka + River, batches"
QUIX = "Quix Streams + River"
CONTESTANTS = (
    Contestant(
        STREAMFIT,
        None,
        (),
        "model, offsets and predictions exactly once in the model; predictions may repeat",
        delivery="at_least_once",
    ),
    Contestant(
        EXACTLY_ONCE,
        None,
        (),
        "as above, and predictions exactly once for read_committed readers",
        delivery="exactly_once",
    ),
    Contestant(
        "confluent-kafka + River, poll",
        "confluent_river_poll.py",
        _CLIENT,
        "flush and commit each second; the model is lost with the process",
    ),
    Contestant(
        RIVER,
        "confluent_river.py",
        _CLIENT,
        "flush and commit each second; the model is lost with the process",
    ),
    Contestant(
        "confluent-kafka + scikit-learn, row by row",
        "confluent_sklearn.py",
        (*_CLIENT, "scikit-learn==1.9.1"),
        "flush and commit each second; the model is lost with the process",
        prefix=True,
    ),
    Contestant(
        QUIX,
        "quix_river.py",
        ("quixstreams==3.28.1", "orjson==3.11.4", "river==0.26.1"),
        "flush and commit each second; the model is lost with the process",
    ),
    Contestant(
        "Bytewax + River",
        "bytewax_river.py",
        ("bytewax[kafka]==0.21.1", "orjson==3.11.4", "river==0.26.1"),
        "no offsets are committed without its recovery store; the model is lost with the process",
    ),
    Contestant(
        "Faust + River",
        "faust_river.py",
        ("faust-streaming==0.15.3", "aiokafka[lz4]", "orjson==3.11.4", "river==0.26.1"),
        "commits each second; the model is lost with the process",
        prefix=True,
    ),
)


def python_of(contestant: Contestant, say: Callable[[str], None]) -> str | None:
    """Give the interpreter of a peer, with all it needs; None where that cannot be installed."""
    assert contestant.script is not None
    folder = ENVIRONMENTS / Path(contestant.script).stem
    python, stamp = folder / "bin" / "python", folder / "installed"
    wanted = "\n".join(contestant.needs)
    if stamp.exists() and stamp.read_text() == wanted:
        return str(python)
    say(f"installing {contestant.name}, once")
    try:
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        pip = (str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
        _run(*pip, *contestant.needs)
        _run(str(python), "-m", "compileall", "-q", str(folder / "lib"), check=False)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        say(f"{contestant.name} cannot be installed: {error}")
        return None
    stamp.write_text(wanted)
    return str(python)


def installed_command(say: Callable[[str], None]) -> str:
    """Give streamfit's command as users have it: without what only its developers need.

    Some of that is imported by scikit-learn and numba where it is there.
    """
    folder, lock = ENVIRONMENTS / "streamfit", _PROJECT / "requirements.lock"
    python, stamp = folder / "bin" / "python", folder / "installed"
    pip = (str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    if not stamp.exists() or stamp.read_text() != lock.read_text():
        say("installing streamfit as its users do, once")
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(*pip, "--require-hashes", "--requirement", str(lock))
        _run(str(python), "-m", "compileall", "-q", str(folder / "lib"), check=False)
        stamp.write_text(lock.read_text())
    _run(*pip, "--no-deps", "--no-build-isolation", "--force-reinstall", str(_PROJECT))
    return str(folder / "bin" / "streamfit")


def _run(*words: str, check: bool = True) -> None:
    subprocess.run(words, check=check, timeout=_INSTALL_TIMEOUT_S, stdin=subprocess.DEVNULL)
