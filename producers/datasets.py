"""Opens a data set by what its name looks like: a file's ending, or a database URL."""

from functools import partial
from pathlib import Path

from producers.row_files import CsvRows, NdjsonRows, open_file
from producers.row_stores import ParquetRows, SqlRows
from producers.rows import Dataset, DatasetError

__all__ = ["Dataset", "DatasetError", "open_dataset"]

_COMPRESSIONS = (".gz", ".xz")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".ndjson", ".jsonl")
_ENDINGS = ".csv, .tsv, .ndjson or .jsonl (also with .gz or .xz behind it), or .parquet"


def open_dataset(source: str, query: str | None = None) -> Dataset:
    """Open a file or a database.

    Parameters
    ----------
    source : str
        Path of a file, told by its ending, or a SQLAlchemy URL (it has `://` in it).
    query : str, optional
        What to ask the database.

    Returns
    -------
    Dataset
        Its columns are known, its rows not read yet.

    Raises
    ------
    DatasetError
        If it cannot be opened; the message says what to do.
    """
    if "://" in source:
        if not query:
            raise DatasetError("--query: missing; a database needs one, like 'SELECT * FROM t'")
        return SqlRows(source, query)
    if query is not None:
        raise DatasetError(f"--query: {source} is a file; leave the query out, or give a URL")
    return _open_file(Path(source))


def _open_file(path: Path) -> Dataset:
    ending = path.suffix.lower()
    compression = ending if ending in _COMPRESSIONS else ""
    kind = Path(path.stem).suffix.lower() if compression else ending
    opener = partial(open_file, path, compression)
    if kind in _DELIMITERS:
        return CsvRows(str(path), opener, _DELIMITERS[kind])
    if kind in _JSON_LINES:
        return NdjsonRows(str(path), opener)
    if ending == ".parquet":
        return ParquetRows(path)
    raise DatasetError(f"{path}: unknown ending; it must be {_ENDINGS}")
