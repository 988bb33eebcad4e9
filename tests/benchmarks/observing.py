"""A contestant from outside: what its processes take, and how far it has come."""

import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import psutil
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.benchmarks.workload import PARTITIONS, TIMEOUT_S

_SAMPLE_S = 0.05
_MIB = 1024**2
Options = dict[str, str | int | float | bool]


class Usage:
    """Follows the CPU seconds and the resident memory of a process and its children.

    A context manager; the figures are of the time within it.

    Parameters
    ----------
    pid : int
        The process.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._samples: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self.peak_mib = 0.0

    def cpu_s(self, begin_s: float, end_s: float) -> float:
        """Give the CPU seconds between two times, in seconds since 1970."""
        return self._at(end_s) - self._at(begin_s)

    def _at(self, time_s: float) -> float:
        before = [sample for sample in self._samples if sample[0] <= time_s]
        after = [sample for sample in self._samples if sample[0] > time_s]
        if not before or not after:
            return (before[-1:] or after[:1])[0][1]
        (t0, cpu0), (t1, cpu1) = before[-1], after[0]
        return cpu0 + (cpu1 - cpu0) * (time_s - t0) / (t1 - t0)

    def _follow(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            self._sample()

    def _sample(self) -> None:
        family = _family(self._process)
        cpu = resident = 0.0
        for process in family:
            try:
                times = process.cpu_times()
                resident += process.memory_info().rss
            except psutil.Error:
                continue
            cpu += times.user + times.system
        if family:
            self._samples.append((time.time(), cpu))
            self.peak_mib = max(self.peak_mib, resident / _MIB, high_water(family) / _MIB)

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def high_water(family: Iterable[psutil.Process]) -> int:
    """Sum VmHWM, the most that each process ever had resident, in bytes."""
    total = 0
    for process in family:
        try:
            with open(f"/proc/{process.pid}/status") as status:  # noqa: PTH123 called often
                lines = [line for line in status if line.startswith("VmHWM:")]
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines)
    return total


class Progress:
    """Tells how many predictions are in a topic, and how many events a group has committed."""

    def __init__(self, bootstrap: str, output: str, group: str, input_topic: str) -> None:
        options: dict[str, str | int | float | bool] = {
            "bootstrap.servers": bootstrap,
            "log_level": 2,
        }
        self._consumer = Consumer({**options, "group.id": f"{group}-observer"})
        self._admin = AdminClient(options)
        self._output, self._group, self._input = output, group, input_topic

    def predictions(self) -> int:
        """Give the number of records in the output topic, markers of transactions included."""
        places = [TopicPartition(self._output, partition) for partition in range(PARTITIONS)]
        bounds = [self._consumer.get_watermark_offsets(p, timeout=TIMEOUT_S) for p in places]
        return sum(high - low for low, high in bounds)

    def committed(self) -> int:
        """Give the sum of the next offsets that the group has committed."""
        places = [TopicPartition(self._input, partition) for partition in range(PARTITIONS)]
        request = ConsumerGroupTopicPartitions(self._group, places)
        answer = self._admin.list_consumer_group_offsets([request])[self._group].result(TIMEOUT_S)
        return sum(max(0, place.offset) for place in answer.topic_partitions)

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()
