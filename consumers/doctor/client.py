"""The program and the machine it is on: versions, limits, and whether kernels are kept compiled."""

import os
import platform
import resource
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import confluent_kafka
from packaging.requirements import Requirement
from packaging.version import Version

from consumers.doctor.finding import SETTINGS, Finding, Kind, Level
from consumers.settings import Settings

VERSIONS = Kind(
    "client.versions",
    Level.PROBLEM,
    "streamfit is tested with the versions that it asks for, and with no others",
    "install streamfit anew in an environment of its own, with what its requirements.lock names",
    SETTINGS,
)
SCIKIT_LEARN = Kind(
    "client.scikit_learn",
    Level.PROBLEM,
    "the kernels work on private attributes of one minor version's estimators",
    "pip install 'scikit-learn>=1.9,<1.10'",
    SETTINGS,
)
EARLY_RETURN = Kind(
    "client.early_return",
    Level.PROBLEM,
    "consume() of confluent-kafka 2.13.0 to 2.15.0 returns before its time is up or its batch full",
    "pip install 'confluent-kafka>=2.15.1'",
    SETTINGS,
)
LIBRDKAFKA = Kind(
    "client.librdkafka",
    Level.NOTE,
    "binding and library are made for each other; another librdkafka may lack what is called",
    "install the wheel of confluent-kafka, which brings its own librdkafka",
)
OPEN_FILES = Kind(
    "client.open_files",
    Level.WARNING,
    "each broker takes several connections; a run that may open no more files fails in the middle",
    "raise the limit: ulimit -n 4096, or LimitNOFILE of the service",
)
MEMORY = Kind(
    "client.memory",
    Level.WARNING,
    "the kernel kills a process that takes more than its container or machine has",
    "set limits.max_memory to at most 90 % of it, or give it more memory",
)
PROCESSOR = Kind(
    "client.processor",
    Level.NOTE,
    "a run works in one thread, beside those of librdkafka: with less than one processor it waits",
    "give it one whole processor",
)
KERNELS = Kind(
    "client.kernels",
    Level.NOTE,
    "kernels that cannot be kept are compiled at each start, which takes up to a minute",
    "make the folder writable, or set NUMBA_CACHE_DIR to one that is",
)

_FEWEST_FILES = 1024
_TOLD = ("confluent-kafka", "scikit-learn", "numpy", "numba", "river")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Installed:
    """What is installed.

    Attributes
    ----------
    packages : mapping of str to str
        Name to version; empty text where it is not there.
    required : tuple of str
        What streamfit asks for, as its own metadata has it.
    librdkafka : str
    """

    packages: Mapping[str, str]
    required: tuple[str, ...]
    librdkafka: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What the process may take; None where nothing limits it, or nobody tells.

    Attributes
    ----------
    open_files : int or None
    memory : int or None
        Bytes.
    processors : float
        A part of one where a container is given less.
    """

    open_files: int | None
    memory: int | None
    processors: float


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at this program and this machine."""
    yield from judge_versions(installed())
    yield from judge_machine(machine(), settings.limits.max_memory)
    yield judge_kernels(kernel_folder())


def installed() -> Installed:
    """Look up what is installed."""
    wanted = [Requirement(text) for text in requires("streamfit") or ()]
    wanted = [each for each in wanted if each.marker is None or each.marker.evaluate()]
    packages = {name: _version(name) for name in ("streamfit", *(each.name for each in wanted))}
    return Installed(packages, tuple(map(str, wanted)), confluent_kafka.libversion()[0])


def judge_versions(there: Installed) -> list[Finding]:
    """Hold what is installed against what streamfit asks for."""
    told = ", ".join(f"{name} {there.packages.get(name) or 'missing'}" for name in _TOLD)
    own = f"streamfit {there.packages['streamfit']}, Python {platform.python_version()}"
    findings = []
    client = there.packages.get("confluent-kafka", "")
    if client and Version("2.13.0") <= Version(client) < Version("2.15.1"):
        findings.append(EARLY_RETURN.found(f"confluent-kafka {client}"))
    if client and Version(client).release[:2] != Version(there.librdkafka).release[:2]:
        seen = f"confluent-kafka {client} with librdkafka {there.librdkafka}"
        findings.append(LIBRDKAFKA.found(seen))
    unmet = [each for each in map(Requirement, there.required) if not _is_met(each, there)]
    for each in unmet:
        kind = SCIKIT_LEARN if each.name == "scikit-learn" else VERSIONS
        has = there.packages.get(each.name) or "missing"
        findings.append(kind.found(f"{each.name} {has}, asked for is {each.specifier}"))
    if not unmet:
        findings.insert(0, VERSIONS.ok(f"{own}, {told}, librdkafka {there.librdkafka}"))
    return findings


def machine() -> Machine:
    """Look up what this process may take."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _first_number(_CGROUP / "memory.max")
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux alone has it
    processors = float(len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1)
    quota = _quota(_CGROUP / "cpu.max")
    return Machine(
        open_files=None if soft == resource.RLIM_INFINITY else soft,
        memory=physical if limit is None else min(limit, physical),
        processors=processors if quota is None else min(quota, processors),
    )


def judge_machine(there: Machine, max_memory: int) -> list[Finding]:
    """Hold what the process may take against what a run needs."""
    files, memory = there.open_files, there.memory
    findings = []
    if files is not None and files < _FEWEST_FILES:
        findings.append(OPEN_FILES.found(f"{files} files may be open, fewer than {_FEWEST_FILES}"))
    else:
        findings.append(OPEN_FILES.ok(f"{files or 'any number of'} files may be open"))
    if memory is not None:
        seen = f"limits.max_memory is {max_memory / 1e6:,.0f} MB of {memory / 1e6:,.0f} MB"
        well = max_memory <= 0.9 * memory
        findings.append(MEMORY.ok(seen) if well else MEMORY.found(seen))
    seen = f"{there.processors:g} processors; a run sets the numeric libraries to one thread"
    findings.append(PROCESSOR.ok(seen) if there.processors >= 1 else PROCESSOR.found(seen))
    return findings


def kernel_folder() -> tuple[Path, int]:
    """Give the folder where numba keeps compiled kernels, and how many functions it has there."""
    from learners.kernels.sgd_rule import step_size  # noqa: PLC0415 - numba takes a second to load

    folder = Path(step_size.stats.cache_path)  # type: ignore[attr-defined]  # numba ships no types
    return folder, sum(1 for _ in folder.glob("*.nbi"))


def judge_kernels(there: tuple[Path, int]) -> Finding:
    """Tell whether compiled kernels are kept."""
    folder, kept = there
    if kept:
        return KERNELS.ok(f"{kept} functions are kept compiled in {folder}")
    if os.access(folder, os.W_OK):
        return KERNELS.ok(f"none is compiled yet; the first start keeps them in {folder}")
    return KERNELS.found(f"{folder} cannot be written, and holds none")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _is_met(wanted: Requirement, there: Installed) -> bool:
    has = there.packages.get(wanted.name, "")
    return bool(has) and wanted.specifier.contains(has, prereleases=True)


def _first_number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):  # no such file; "max" where nothing limits it
        return None


def _quota(path: Path) -> float | None:
    try:
        quota, period = map(int, path.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return None
    return quota / period
