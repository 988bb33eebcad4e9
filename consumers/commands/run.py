"""`streamfit run`: learns from a topic until it is told to stop."""

import ctypes
import gc
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import typer

from consumers.commands.endings import tell
from consumers.commands.options import File, Overrides
from consumers.errors import THIS_IS_A_BUG, StreamfitError, exit_code_of
from consumers.loop.signals import StopWish
from consumers.loop.watchdog import LastWords, nothing_more
from consumers.settings import Settings, load
from consumers.views import logs
from consumers.views.narrator import Narrator
from consumers.views.resident import resident_bytes
from metrics.events import FAILED, STARTING, STOPPED
from metrics.observer import Observer

_log = logging.getLogger("streamfit.run")
# New objects between two looks of the garbage collector. By default it looks at each batch several
# times, and finds nothing: what a batch makes is freed by reference counts.
COLLECT_EVERY = 20_000
# By default the C library gives threads heaps of their own, eight for each core, and each keeps
# what was freed in it: with a scrape each second that came to 12 MB within a minute.
_M_ARENA_MAX, _ARENAS = -8, 2


def run(file: File, overrides: Overrides = None) -> None:
    """Learn from the input topic until SIGTERM or Ctrl-C; then commit once more and leave."""
    with StopWish(at_the_end=True) as wish:
        try:
            settings = load(file, overrides or ())
            with _last_words(settings) as last_words:
                work(settings, wish, last_words)
        finally:
            # At its end the interpreter would look through a million objects once more: a second.
            gc.freeze()


@contextmanager
def _last_words(settings: Settings) -> Iterator[LastWords]:
    """Set up the log; where its lines are JSON, what ends the run is one of them.

    Gives what tells it for a process that must end before the error comes out here.
    """
    log = settings.log
    as_json = logs.configure(log.number, as_json=log.as_json, context=_context(settings))
    try:
        yield _log_failure if as_json else tell
    except Exception as error:
        if not as_json:
            raise
        raise typer.Exit(_log_failure(error)) from error


def _log_failure(error: Exception) -> int:
    """Log what ends the run; gives the exit code."""
    code = exit_code_of(error)
    if isinstance(error, StreamfitError):
        _log.critical("%s", error, extra=FAILED(exit_code=code))
    else:
        _log.critical(THIS_IS_A_BUG, exc_info=error, extra=FAILED(exit_code=code))
    return code


def work(
    settings: Settings,
    wish: StopWish,
    last_words: LastWords = nothing_more,
    more: Sequence[Observer] = (),
) -> None:
    """Learn until the wish to stop comes.

    Parameters
    ----------
    settings : Settings
        What to do.
    wish : StopWish
        Listens for it.
    last_words : callable
        Tells the error that ends the run where the process must end before that comes out here.
    more : sequence of Observer
        Take all facts, too.

    Raises
    ------
    StreamfitError
        If going on is impossible or not allowed.
    """
    _share_heaps()
    # Loading scikit-learn and numba takes a second: settings that are wrong are told before.
    from learners.trusted_types import unlisted  # noqa: PLC0415

    with unlisted():
        from consumers.connecting import open_runner  # noqa: PLC0415
        from consumers.monitoring import monitoring  # noqa: PLC0415
        from consumers.tracing import tracing  # noqa: PLC0415

    narrator = Narrator(time.monotonic, resident_bytes)
    with (
        tracing(settings) as traces,
        monitoring(settings, [narrator, *traces.observers, *more]) as monitor,
        open_runner(
            settings,
            monitor.observer,
            tracing=traces.batches,
            waits_for=monitor.waits_for,
            last_words=last_words,
        ) as runner,
    ):
        _log.info(
            "starting: topic %s, group %s, status page on %s, metrics on %s",
            settings.input.topic,
            settings.input.group,
            monitor.page,
            monitor.url,
            extra=STARTING(url=monitor.url),
        )
        gc.freeze()  # what is there now stays: no need to look at it again
        gc.set_threshold(COLLECT_EVERY)
        wish.stops(runner.stop)
        runner.run(monitor.beat)
    _log.info("stopped; everything learned is committed", extra=STOPPED())


def _share_heaps() -> None:
    """Let all threads share two heaps, where the C library is glibc."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def _context(settings: Settings) -> dict[str, str]:
    """Give what every line of the log tells: whose it is."""
    told = {"group": settings.input.group, "topic": settings.input.topic}
    instance = settings.input.instance
    return told if instance is None else {**told, "instance": instance}
