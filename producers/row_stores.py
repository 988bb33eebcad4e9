"""Data sets that need an extra: Parquet files (pyarrow) and SQL queries (SQLAlchemy)."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from producers.rows import DatasetError, Row, check_columns

_ROWS_PER_READ = 10_000


class ParquetRows:
    """Rows of a Parquet file, read one row group after the other.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    DatasetError
        If pyarrow is not installed, or the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._arrow = _extra("pyarrow")
        self._parquet = _extra("pyarrow.parquet")
        self._path = path
        with self._open() as file:
            self.columns = check_columns(tuple(file.schema_arrow.names), str(path))
            self.total: int = file.metadata.num_rows

    def __iter__(self) -> Iterator[Row]:
        with self._open() as file:
            batches = file.iter_batches(batch_size=_ROWS_PER_READ)
            while True:
                try:
                    batch = next(batches, None)
                    columns = None if batch is None else [self._values(c) for c in batch.columns]
                except (OSError, ValueError, self._arrow.ArrowException) as error:
                    raise self._unreadable(error) from None
                if columns is None:
                    return
                yield from zip(*columns, strict=True)

    def _open(self) -> Any:
        try:
            return self._parquet.ParquetFile(self._path)
        except FileNotFoundError:
            raise DatasetError(f"{self._path}: no such file; check the path") from None
        except (OSError, ValueError, self._arrow.ArrowException) as error:
            raise self._unreadable(error) from None

    def _values(self, column: Any) -> list[Any]:
        kind = column.type
        # Python's times end at microseconds; pyarrow refuses to round nanoseconds by itself.
        if self._arrow.types.is_timestamp(kind) and kind.unit == "ns":
            column = column.cast(self._arrow.timestamp("us", kind.tz), safe=False)
        values: list[Any] = column.to_pylist()
        return values

    def _unreadable(self, error: Exception) -> DatasetError:
        return DatasetError(f"{self._path}: not a readable Parquet file ({_first_line(error)})")


class SqlRows:
    """Rows of a SQL query, streamed; each iteration after the first runs the query again.

    Parameters
    ----------
    url : str
        A SQLAlchemy URL. It may hold a password and is never shown.
    query : str
        What to run. It is never committed.

    Raises
    ------
    DatasetError
        If SQLAlchemy or the database's driver is not installed, the database cannot be reached,
        or the query fails or gives no rows.
    """

    total = None

    def __init__(self, url: str, query: str) -> None:
        self._sql = _extra("sqlalchemy")
        self._query = query
        self._engine = self._make_engine(url)
        self._started: Any = self._execute()
        self.columns = check_columns(tuple(self._started.keys()), "query")

    def __iter__(self) -> Iterator[Row]:
        # The query ran once already, to learn its columns: its rows serve the first iteration.
        result, self._started = self._started or self._execute(), None
        connection = result.connection
        try:
            yield from map(tuple, result)
        except self._sql.exc.SQLAlchemyError as error:
            raise DatasetError(f"query: broke off ({_first_line(error)})") from None
        finally:
            connection.close()

    def _make_engine(self, url: str) -> Any:
        try:
            return self._sql.create_engine(url)
        except ModuleNotFoundError as error:
            raise DatasetError(
                f"source: the database's driver {error.name!r} is not installed; install it"
            ) from None
        except (self._sql.exc.ArgumentError, ValueError):  # no text of theirs: it may show the URL
            raise DatasetError(
                "source: not a database URL; write it like postgresql+psycopg://user@host/name"
            ) from None

    def _execute(self) -> Any:
        connection = None
        try:
            connection = self._engine.connect().execution_options(yield_per=_ROWS_PER_READ)
            result = connection.execute(self._sql.text(self._query))
        except self._sql.exc.SQLAlchemyError as error:
            if connection is not None:
                connection.close()
            what = "source: cannot connect" if connection is None else "query: refused"
            raise DatasetError(f"{what} ({_first_line(error)})") from None
        if not result.returns_rows:
            connection.close()
            raise DatasetError("query: gives no rows; write a SELECT")
        return result


def _extra(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        package = module.partition(".")[0]
        raise DatasetError(f"{package} is not installed; run pip install {package}") from None


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error  # SQLAlchemy adds the statement to the driver's
    return (str(cause).strip() or type(cause).__name__).splitlines()[0].rstrip(".:")
