"""What a data set is to the rest of the program: rows in columns, read as often as asked.

How the formats are read stands in `row_files` and `row_stores`.
"""

from collections.abc import Iterator
from typing import Any, Protocol

Row = tuple[Any, ...]


class DatasetError(Exception):
    """A data set cannot be read or mapped; the message is one line and names the mend."""


class Dataset(Protocol):
    """Rows of one source.

    Iterating may block on a file or a database, raises `DatasetError` where the source breaks
    off, and starts at the first row each time. Two iterations at the same time are not allowed.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, each once; every row has one value for each."""
        ...

    @property
    def total(self) -> int | None:
        """Number of rows, or None where telling would mean reading them all."""
        ...

    def __iter__(self) -> Iterator[Row]:
        """Give the rows in the source's order."""
        ...


def check_columns(columns: tuple[str, ...], source: str) -> tuple[str, ...]:
    """Return the columns if each has a name of its own.

    Raises
    ------
    DatasetError
        If there is none, one has no name, or two have the same.
    """
    if not columns:
        raise DatasetError(f"{source}: no columns; the first row must name them")
    for position, name in enumerate(columns, 1):
        if not name:
            raise DatasetError(f"{source}: column {position} has no name; name it")
        if columns.count(name) > 1:
            raise DatasetError(f"{source}: two columns are called {name!r}; rename one")
    return columns
