"""The chaos run's command line: `python -m tests.chaos.run`, behind `make chaos`."""

import argparse
import itertools
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.brokers.choice import choose, sources
from tests.brokers.kafka import Kafka
from tests.brokers.server import Kind, UnavailableError
from tests.chaos.fleet import open_nursery
from tests.chaos.killer import COMBINATIONS, DELIVERIES, SCOPES, Plan, battery, mixtures
from tests.chaos.rounds import play, settings_for_nursery
from tests.chaos.tally import Tally, line, table

# A battery is cut into rounds: a shorter input is judged sooner, and tells more when it fails.
KILLS_IN_A_ROUND = 25


def main(words: Sequence[str] | None = None) -> int:
    """Play rounds until the time or the plans are over; 1 where a promise was broken."""
    options = _options(words)
    _say(f"seed {options.seed}")
    folder = options.keep or Path(tempfile.mkdtemp(prefix="streamfit-chaos-"))
    try:
        with _broker() as broker:
            tallies = _play_all(_plans(options, broker), broker, folder)
    except UnavailableError as error:
        _say(str(error))
        return 1
    _say(table(tallies))
    broken = any(tally.violations for tally in tallies)
    (folder / "summary.json").write_text("\n".join(tally.as_json() for tally in tallies) + "\n")
    if options.keep is None and not broken:
        shutil.rmtree(folder)
    else:
        _say(f"evidence: {folder}")
    return int(broken)


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--minutes", type=float, default=10.0, help="of a mixed run")
    parser.add_argument("--kills", type=int, help="so many kill -9 for each combination, no more")
    parser.add_argument("--rounds", type=int, help="so many rounds of a mixed run at most")
    parser.add_argument("--delivery", choices=DELIVERIES, help="only this one")
    parser.add_argument("--scope", choices=SCOPES, help="only this one")
    parser.add_argument("--keep", type=Path, help="a new folder that takes logs and stores")
    return parser.parse_args(words)


def _plans(options: argparse.Namespace, broker: Kafka) -> Iterator[Plan]:
    def chosen(delivery: str, scope: str) -> bool:
        return options.delivery in (None, delivery) and options.scope in (None, scope)

    if options.kills is not None:
        for pair in filter(lambda pair: chosen(*pair), COMBINATIONS):
            yield from _batteries(options.seed, pair, options.kills)
        return
    end_s = time.monotonic() + 60 * options.minutes
    mixed = mixtures(options.seed, broker_is_mortal=broker.kind is not Kind.ADDRESS)
    wanted = (plan for plan in mixed if chosen(plan.delivery, plan.scope))
    for plan in itertools.islice(wanted, options.rounds):
        if time.monotonic() > end_s:
            return
        yield plan


def _batteries(seed: int, pair: tuple[str, str], kills: int) -> Iterator[Plan]:
    for number, first in enumerate(range(0, kills, KILLS_IN_A_ROUND)):
        yield battery(seed + number, *pair, min(KILLS_IN_A_ROUND, kills - first))


def _play_all(plans: Iterator[Plan], broker: Kafka, folder: Path) -> list[Tally]:
    folder.mkdir(parents=True, exist_ok=True)
    tallies: list[Tally] = []
    with open_nursery(settings_for_nursery(folder)) as nursery:
        for number, plan in enumerate(plans, 1):
            tally = play(plan, broker, nursery, folder / f"round-{number:03}")
            tallies.append(tally)
            _say(line(number, tally))
            for violation in tally.violations[:10]:
                _say(f"  {violation}")
    return tallies


@contextmanager
def _broker() -> Iterator[Kafka]:
    with ExitStack() as stack:
        broker = Kafka(choose(os.environ, sources(os.environ), _say))
        stack.callback(broker.close)
        broker.start()
        yield broker


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 a command's own voice


if __name__ == "__main__":
    sys.exit(main())
