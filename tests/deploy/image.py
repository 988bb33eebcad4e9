"""Builds the real Dockerfile where no image can be pulled, on a base made of this machine's parts.

Needs a Docker engine and root. What a build takes from outside is fetched once, into `.cache/`. The
tests of the image are in `test_image.py`.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
IMAGE = "streamfit-test"
_PYTHON_IMAGE, _BUILD_IMAGE = "streamfit-test-python", "streamfit-test-build"
_CACHE = HOME / ".cache" / "image"
_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_COMMANDS = (
    "sh",
    "cat",
    "chmod",
    "chown",
    "cp",
    "env",
    "grep",
    "ln",
    "ls",
    "mkdir",
    "mv",
    "rm",
    "sed",
)
_LEFT_OUT = (
    "site-packages",
    "dist-packages",
    "test",
    "idlelib",
    "tkinter",
    "turtledemo",
    "__pycache__",
)
# Debian's Python keeps what a virtual environment begins with outside of its library.
_DEBIAN_WHEELS = Path("/usr/share/python-wheels")
# Wheels may count on these (PEP 600), and every Python image has them.
_FOR_WHEELS = ("libstdc++.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "librt.so.1")


class NoImageError(Exception):
    """The image cannot be built on this machine; the text says what is missing."""


def docker(*arguments: str, timeout_s: float = 60, stdin: Path | None = None) -> str:
    """Run a command of Docker, and give what it printed.

    Raises
    ------
    NoImageError
        If it fails; with the last lines of what it said.
    """
    with open(stdin or "/dev/null", "rb") as fed:  # noqa: PTH123 - one of both
        done = subprocess.run(
            ["docker", *arguments],
            stdin=fed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    said = done.stdout.decode(errors="replace")
    if done.returncode:
        last = "\n".join(said.splitlines()[-15:])
        raise NoImageError(f"docker {arguments[0]} failed ({done.returncode}):\n{last}")
    return said


def build() -> str:
    """Build the image from `deploy/Dockerfile`, and give its name.

    Raises
    ------
    NoImageError
        If something that it takes is not here.
    """
    if shutil.which("docker") is None:
        raise NoImageError("docker is not installed; install Docker")
    if os.geteuid() != 0:
        raise NoImageError("only root can make the files of an image; run this test as root")
    docker("version")
    _CACHE.mkdir(parents=True, exist_ok=True)
    _python_image()
    _build_image()
    docker(
        *("build", "--file", str(HOME / "deploy" / "Dockerfile"), "--tag", IMAGE),
        *("--build-arg", f"PYTHON_IMAGE={_PYTHON_IMAGE}"),
        *("--build-arg", f"BUILD_IMAGE={_BUILD_IMAGE}"),
        str(HOME),
        timeout_s=280,
    )
    return IMAGE


def _python_image() -> None:
    """Import this machine's Python and the little that it needs as an image, if it is not there."""
    stamp = _stamp(Path(__file__), [sys.version])
    if _has(_PYTHON_IMAGE, stamp):
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        _fill(root)
        archive = Path(scratch) / "root.tar"
        _run("tar", "-C", str(root), "--owner=0", "--group=0", "-cf", str(archive), ".")
        docker(
            *("import", "--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8"),
            *("--change", f"LABEL stamp={stamp}", "-", _PYTHON_IMAGE),
            stdin=archive,
        )


def _build_image() -> None:
    """Add a folder of wheels to that image, and tell pip to look nowhere else."""
    locks = [HOME / name for name in ("requirements.lock", "requirements-dev.lock")]
    stamp = _stamp(Path(__file__), [sys.version, *(lock.read_text() for lock in locks)])
    if _has(_BUILD_IMAGE, stamp):
        return
    wheels = _CACHE / "wheels"
    _download(wheels, locks[0], locks[1])
    with tempfile.TemporaryDirectory(dir=_CACHE) as scratch:
        context = Path(scratch)
        shutil.copytree(wheels, context / "wheels", copy_function=_link)
        (context / "Dockerfile").write_text(
            f"FROM {_PYTHON_IMAGE}\nCOPY wheels /wheels\n"
            f"ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\nLABEL stamp={stamp}\n"
        )
        docker("build", "--tag", _BUILD_IMAGE, str(context), timeout_s=120)


def _download(wheels: Path, runtime: Path, everything: Path) -> None:
    shutil.rmtree(wheels, ignore_errors=True)
    wheels.mkdir(parents=True)
    versions = wheels.parent / "versions.txt"
    lines = [line.removesuffix("\\").rstrip() for line in everything.read_text().splitlines()]
    versions.write_text("\n".join(one for one in lines if one and one[0] not in " #") + "\n")
    pip = (
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--only-binary",
        ":all:",
        "-d",
        str(wheels),
    )
    _run(*pip, "--require-hashes", "-r", str(runtime))
    _run(*pip, "-c", str(versions), "s3fs")


def _fill(root: Path) -> None:
    """Make a root file system with Python at `/usr/local`, as Python's own images have it."""
    for folder in (
        "usr/bin",
        "usr/lib",
        "usr/lib64",
        "usr/local/bin",
        "etc",
        "root",
        "dev",
        "proc",
    ):
        (root / folder).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "tmp").mkdir(mode=0o777)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    python = Path(sys.base_prefix) / "bin" / _VERSION
    library = root / "usr/local/lib" / _VERSION
    ignored = shutil.ignore_patterns(*_LEFT_OUT)
    shutil.copytree(sysconfig.get_paths()["stdlib"], library, symlinks=True, ignore=ignored)
    shutil.copy2(python, root / "usr/local/bin" / _VERSION)
    if _DEBIAN_WHEELS.is_dir():
        shutil.copytree(_DEBIAN_WHEELS, root / _DEBIAN_WHEELS.relative_to("/"))
    for name in ("python3", "python"):
        (root / "usr/local/bin" / name).symlink_to(_VERSION)
    commands = [Path(shutil.which(name) or f"/bin/{name}").resolve() for name in _COMMANDS]
    for name, command in zip(_COMMANDS, commands, strict=True):
        shutil.copy2(command, root / "usr/bin" / name)
    _copy_libraries(root, [python, *commands, *library.rglob("*.so")])


def _copy_libraries(root: Path, programs: Iterable[Path]) -> None:
    """Copy the shared libraries that programs need, and let the loader find them."""
    found = {path for program in programs for path in _libraries_of(program)}
    cached = _run("/sbin/ldconfig", "-p").splitlines()
    for name in _FOR_WHEELS:
        found |= {
            Path(line.split()[-1])
            for line in cached
            if line.split()[:1] == [name] and re.search(r"x86-64|AArch64", line)
        }
    places = sorted(one for one in found if str(one).startswith(("/lib", "/usr/lib")))
    for path in found:
        place = root / "usr/local/lib" / path.name
        if path in places:
            place = root / "usr" / path.relative_to("/usr" if path.parts[1] == "usr" else "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path.resolve(), place)
    folders = {f"/usr/local/lib\n{one.parent}" for one in places}
    (root / "etc/ld.so.conf").write_text("\n".join(sorted(folders)) + "\n")
    _run("/sbin/ldconfig", "-r", str(root))


def _libraries_of(program: Path) -> Iterator[Path]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    for word in listed.stdout.split():
        if word.startswith("/"):
            yield Path(word.rstrip(":"))


def _has(image: str, stamp: str) -> bool:
    try:
        label = docker("image", "inspect", "--format", "{{.Config.Labels.stamp}}", image)
    except NoImageError:
        return False
    return label.strip() == stamp


def _stamp(file: Path, more: Iterable[str]) -> str:
    digest = hashlib.sha256(file.read_bytes())
    for text in more:
        digest.update(text.encode())
    return digest.hexdigest()[:16]


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-3:]
        raise NoImageError(f"{' '.join(command[:4])} failed: {' '.join(last)}")
    return done.stdout
