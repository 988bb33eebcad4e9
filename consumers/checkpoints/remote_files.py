"""fsspec's file systems, made dependable: each call ends in time, each failure is an OSError.

What is kept there, and under which names, is the store's business.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any

import fsspec

PATIENCE_S = 20.0  # how long a store may leave one request unanswered
_GRACE_S = 1.0  # for the event loop to tell that a time is up
_BYTES_PER_S = 1_000_000.0  # a line that is slower counts as dead
# Kinds of failure that a caller may tell apart; everything else is a plain OSError.
_KINDS = (FileNotFoundError, PermissionError, TimeoutError)
_LONGEST = 500  # characters of another library's error that are shown
_DOING = {"pipe_file": "write", "cat_file": "read", "rm_file": "remove", "info": "look up"}


class RemoteFiles:
    """The file system behind an address, opened when it is first used.

    Parameters
    ----------
    address : str
        As fsspec understands it.
    objects : bool
        Whether it is an object store. Those are asked on fsspec's event loop, several threads at a
        time, and a request is cancelled when its time is up. The others are asked in turn, since
        few of them can be shared by threads, and opened anew after a failure: a broken connection
        would stay broken. One that does not answer in time is left behind.
    patience_s : float
        How long one request may take, in seconds; large files get more.
    """

    def __init__(self, address: str, *, objects: bool, patience_s: float = PATIENCE_S) -> None:
        self._address = address
        self._objects = objects
        self._patience_s = patience_s
        self._session = _Session()

    def call(self, method: str, path: str, *args: Any, size: int = 0, **options: Any) -> Any:
        """Call a method of the file system.

        Parameters
        ----------
        method : str
            Its name.
        path : str
            The path it is about, its first argument.
        args, options
            Its other arguments.
        size : int
            How many bytes have to travel.

        Raises
        ------
        OSError
            For whatever goes wrong; FileNotFoundError, PermissionError and TimeoutError if it is
            one of these.
        """
        seconds = self._patience_s + size / _BYTES_PER_S
        try:
            if self._objects:
                return self._on_loop(method, (path, *args), options, seconds)
            return self._in_turn(
                lambda files: getattr(files, method)(path, *args, **options), seconds
            )
        except Exception as error:
            raise _os_error(error, f"{_DOING.get(method, method)} {path}", seconds) from error

    def move(self, source: str, target: str) -> None:
        """Give a file another name, in one step where the file system can.

        Raises
        ------
        OSError
            For whatever goes wrong.
        """
        try:
            self._in_turn(lambda files: _move(files, source, target), self._patience_s)
        except Exception as error:
            raise _os_error(error, f"move {target}", self._patience_s) from error

    def _opened(self, session: "_Session") -> Any:
        if session.files is None:
            # A shared instance would be one with somebody else's stale listings.
            options: dict[str, Any] = {"skip_instance_cache": True}
            if self._objects:  # the others pass on what they do not know, and fail
                options["use_listings_cache"] = False
            session.files, _ = fsspec.url_to_fs(self._address, **options)
        session.files.invalidate_cache()
        return session.files

    def _on_loop(
        self, method: str, args: tuple[Any, ...], options: dict[str, Any], seconds: float
    ) -> Any:
        files = self._session.files or self._in_turn(lambda opened: opened, seconds)
        files.invalidate_cache()
        # The coroutine beside each blocking method has its name with an underscore.
        request = getattr(files, f"_{method}")(*args, **options)
        future = asyncio.run_coroutine_threadsafe(_ended(request, seconds), files.loop)
        try:
            return future.result(seconds + _GRACE_S)
        finally:
            future.cancel()

    def _in_turn(self, work: Callable[[Any], Any], seconds: float) -> Any:
        session = self._session
        if not session.turn.acquire(timeout=seconds):
            raise TimeoutError
        outcome: Future[Any] = Future()

        def run() -> None:
            try:
                outcome.set_result(work(self._opened(session)))
            except BaseException as error:  # noqa: BLE001  # the caller gets it, whatever it is
                if not isinstance(error, FileNotFoundError):  # which is an answer
                    session.files = None
                outcome.set_exception(error)
            finally:
                session.turn.release()

        # A daemon: a file system that never answers must not hold up the end of the program.
        thread = threading.Thread(target=run, name="checkpoint-store", daemon=True)
        try:
            thread.start()
        except BaseException:
            session.turn.release()
            raise
        if wait([outcome], seconds).not_done:
            # It may hang for good: those that come later must neither wait for it nor share what
            # it hangs in.
            self._session = _Session()
            raise TimeoutError
        return outcome.result()


@dataclass(slots=True)
class _Session:
    """A file system, once it is opened, and whose turn it is to use it."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    files: Any = None


async def _ended(request: Awaitable[Any], seconds: float) -> Any:
    """Cancel a request when its time is up: else it would hold on to its data, and try again."""
    async with asyncio.timeout(seconds):
        return await request


def _move(files: Any, source: str, target: str) -> None:
    if type(files).mv is fsspec.AbstractFileSystem.mv:  # reads `*` and `[` in names as patterns
        files.cp_file(source, target)
        files.rm_file(source)
    else:
        files.mv(source, target)


def _os_error(error: Exception, doing: str, seconds: float) -> OSError:
    """Make an error of one line that says what was being done."""
    kind = next((kind for kind in _KINDS if isinstance(error, kind)), OSError)
    text = " ".join(str(error).split())
    if not text and kind is TimeoutError:
        text = f"no answer within {seconds:.3g} s"
    elif not isinstance(error, OSError) or not text:
        text = f"{type(error).__name__}: {text}"
    return kind(f"{doing}: {text[:_LONGEST]}")
