"""Data sets in text files: CSV, TSV and NDJSON, plain or compressed."""

import csv
import gzip
import io
import lzma
import math
import re
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import msgspec

from producers.rows import DatasetError, Row, check_columns

if TYPE_CHECKING:
    from _csv import Reader as CsvReader  # its name at run time differs between Python versions

Opener = Callable[[], IO[bytes]]

# As JSON writes numbers, and a little wider (`+1`, `.5`, `5.`). A leading zero makes it a code,
# not a number: `007` stays text.
_NUMBER = re.compile(
    r"([+-]?(?:0|[1-9][0-9]*))"
    r"|[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
)
_MAX_WHOLE_DIGITS = 18  # what fits 64 bits; longer ones are ids and stay text, with every digit
_ROWS_THAT_NAME_COLUMNS = 100


def open_file(path: Path, compression: str) -> IO[bytes]:
    """Open a file for reading; `compression` is `.gz`, `.xz` or empty."""
    if compression == ".gz":
        # typeshed has gzip's file apart from the others; it reads the same.
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return lzma.open(path, "rb") if compression == ".xz" else path.open("rb")


def parse_cell(text: str) -> int | float | str | None:
    """Read a cell: a number where it is one, None where it is empty, else the text.

    `nan`, `inf` and numbers too large for a float stay text, since JSON has no word for them.

    Examples
    --------
    >>> [parse_cell(text) for text in ("7", "-1.50", "1e3", "", "UP", "007", "nan")]
    [7, -1.5, 1000.0, None, 'UP', '007', 'nan']
    """
    if not text:
        return None
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    if found[1]:
        return int(text) if len(text) <= _MAX_WHOLE_DIGITS else text
    number = float(text)
    return number if math.isfinite(number) else text


class CsvRows:
    """Rows of a CSV or TSV file whose first line names the columns. UTF-8, quotes as in RFC 4180.

    Parameters
    ----------
    name : str
        What to call the file in errors.
    opener : callable
        Opens the file for reading bytes.
    delimiter : str
        What stands between two cells.
    total : int or None
        Number of rows, where it is known.

    Raises
    ------
    DatasetError
        If the file cannot be read, or a row has more or fewer cells than there are columns.
    """

    def __init__(
        self, name: str, opener: Opener, delimiter: str = ",", total: int | None = None
    ) -> None:
        self._name, self._opener, self._delimiter = name, opener, delimiter
        with _reading(name), self._open() as file:
            header = next(self._reader(file), [])
        self.columns = check_columns(tuple(cell.strip() for cell in header), name)
        self.total = total

    def __iter__(self) -> Iterator[Row]:
        width = len(self.columns)
        with _reading(self._name), self._open() as file:
            reader = self._reader(file)
            next(reader, None)
            for cells in reader:
                if len(cells) == width:
                    yield tuple(map(parse_cell, cells))
                elif cells:  # an empty line is nobody's row
                    raise DatasetError(
                        f"{self._name}: line {reader.line_num} has {len(cells)} cells, "
                        f"the header {width}; mend that line"
                    )

    def _open(self) -> IO[str]:
        # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
        return io.TextIOWrapper(self._opener(), encoding="utf-8-sig", newline="")

    def _reader(self, file: IO[str]) -> "CsvReader":
        return csv.reader(file, delimiter=self._delimiter, skipinitialspace=True, strict=True)


class NdjsonRows:
    """Rows of a file with one JSON object a line.

    The columns are the names in the first 100 rows; a row without one of them has None there.

    Parameters
    ----------
    name : str
        What to call the file in errors.
    opener : callable
        Opens the file for reading bytes.

    Raises
    ------
    DatasetError
        If the file cannot be read, a line is no JSON object, or a later row has another column.
    """

    total = None

    def __init__(self, name: str, opener: Opener) -> None:
        self._name, self._opener = name, opener
        self._decode = msgspec.json.Decoder(dict[str, Any]).decode
        first = (row for _, row in islice(self._objects(), _ROWS_THAT_NAME_COLUMNS))
        self.columns = check_columns(
            tuple(dict.fromkeys(key for row in first for key in row)), name
        )

    def __iter__(self) -> Iterator[Row]:
        columns, known = self.columns, frozenset(self.columns)
        for line, row in self._objects():
            if not known.issuperset(row):
                new = next(name for name in row if name not in known)
                raise DatasetError(
                    f"{self._name}: line {line} has a column {new!r} that none of the first "
                    f"{_ROWS_THAT_NAME_COLUMNS} rows has; give the first row a null of that name"
                )
            yield tuple(map(row.get, columns))

    def _objects(self) -> Generator[tuple[int, dict[str, Any]], None, None]:
        with _reading(self._name), self._opener() as file:
            for number, line in enumerate(file, 1):
                if line.isspace():
                    continue
                try:
                    yield number, self._decode(line)
                except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
                    raise DatasetError(
                        f"{self._name}: line {number} is no JSON object ({error}); mend that line"
                    ) from None


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn what goes wrong with a file into one line."""
    try:
        yield
    except FileNotFoundError:
        raise DatasetError(f"{name}: no such file; check the path") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{name}: not a text table in UTF-8 ({error}); convert it") from None
    except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{name}: damaged or not compressed ({error}); fetch it anew") from None
    except OSError as error:
        raise DatasetError(f"{name}: cannot be read ({error.strerror or error})") from None
