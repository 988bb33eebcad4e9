from dataclasses import replace
from pathlib import Path

import pytest

from consumers.doctor import client
from consumers.doctor.client import Installed, Machine
from consumers.doctor.finding import Finding, Level

WELL = Installed(
    {
        "streamfit": "0.1.0",
        "confluent-kafka": "2.16.1",
        "scikit-learn": "1.9.1",
        "numpy": "2.4.0",
        "numba": "0.68.0",
        "river": "0.26.1",
    },
    ("confluent-kafka>=2.15.1", "scikit-learn<1.10,>=1.9", "numpy>=2.0"),
    "2.16.0",
)
ROOMY = Machine(open_files=20_000, memory=8_000_000_000, processors=4.0)


def levels(findings: list[Finding]) -> dict[str, Level]:
    return {each.code: each.level for each in findings}


def with_package(name: str, version: str) -> Installed:
    return replace(WELL, packages={**WELL.packages, name: version})


def test_versions_that_fit_are_one_line_with_all_of_them() -> None:
    (found,) = client.judge_versions(WELL)
    assert found.level is Level.OK
    for word in ("streamfit 0.1.0", "Python 3.", "confluent-kafka 2.16.1", "librdkafka 2.16.0"):
        assert word in found.seen


def test_what_is_installed_here_fits_what_streamfit_asks_for() -> None:
    assert {each.level for each in client.judge_versions(client.installed())} == {Level.OK}


@pytest.mark.parametrize("version", ["2.13.0", "2.14.1", "2.15.0"])
def test_a_client_that_returns_early_from_consume_is_named(version: str) -> None:
    there = replace(with_package("confluent-kafka", version), librdkafka=version)
    found = levels(client.judge_versions(there))
    assert found["client.early_return"] is Level.PROBLEM
    assert found["client.versions"] is Level.PROBLEM


@pytest.mark.parametrize("version", ["1.8.2", "1.10.0", ""])
def test_another_scikit_learn_is_a_problem_of_its_own(version: str) -> None:
    (found,) = client.judge_versions(with_package("scikit-learn", version))
    assert (found.code, found.level, found.exit_code) == ("client.scikit_learn", Level.PROBLEM, 2)
    assert (version or "missing") in found.seen


def test_a_package_below_what_is_asked_for_is_a_problem() -> None:
    (found,) = client.judge_versions(with_package("numpy", "1.26.4"))
    assert (found.code, found.level) == ("client.versions", Level.PROBLEM)
    assert found.seen == "numpy 1.26.4, asked for is >=2.0"


def test_a_librdkafka_of_another_version_than_the_binding_is_noted() -> None:
    found = levels(client.judge_versions(replace(WELL, librdkafka="2.12.0")))
    assert found["client.librdkafka"] is Level.NOTE


def test_a_machine_with_room_for_everything_is_well() -> None:
    assert set(levels(client.judge_machine(ROOMY, 400_000_000)).values()) == {Level.OK}


def test_narrow_limits_of_the_machine_are_told_with_their_figures() -> None:
    narrow = Machine(open_files=256, memory=420_000_000, processors=0.5)
    found = {each.code: each for each in client.judge_machine(narrow, 400_000_000)}
    assert found["client.open_files"].level is Level.WARNING
    assert "256" in found["client.open_files"].seen
    assert found["client.memory"].level is Level.WARNING
    assert "400 MB of 420 MB" in found["client.memory"].seen
    assert found["client.processor"].level is Level.NOTE


def test_what_this_machine_gives_can_be_told() -> None:
    there = client.machine()
    assert there.memory
    assert there.memory > 100_000_000
    assert there.processors > 0


def test_kernels_that_can_be_neither_found_nor_kept_are_noted(tmp_path: Path) -> None:
    assert client.judge_kernels((tmp_path, 0)).level is Level.OK
    assert client.judge_kernels((tmp_path / "absent", 3)).level is Level.OK
    found = client.judge_kernels((tmp_path / "absent", 0))
    assert (found.code, found.level) == ("client.kernels", Level.NOTE)


def test_the_folder_of_the_kernels_is_there() -> None:
    folder, _ = client.kernel_folder()
    assert folder.is_absolute()
