import gzip
import importlib
import lzma
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from producers.datasets import DatasetError, open_dataset

CSV = "ID,Feature1,TARGET\n1,0.5,UP\n2,,DOWN\n"
ROWS = [(1, 0.5, "UP"), (2, None, "DOWN")]


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def read(source: str, query: str | None = None) -> list[tuple[Any, ...]]:
    return list(open_dataset(source, query))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV.encode()),
        ("a.CSV", CSV.encode()),
        ("a.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("a.csv", CSV.replace("\n", "\r\n").encode()),
        ("a.csv", CSV.replace("\n", "\n\n").encode()),
        ("a.csv", CSV.replace(",", ", ").encode()),
        ("a.tsv", CSV.replace(",", "\t").encode()),
        ("a.csv.gz", gzip.compress(CSV.encode())),
        ("a.csv.xz", lzma.compress(CSV.encode())),
    ],
)
def test_a_table_is_read_whatever_its_ending(tmp_path: Path, name: str, content: bytes) -> None:
    dataset = open_dataset(write(tmp_path / name, content))
    assert dataset.columns == ("ID", "Feature1", "TARGET")
    assert list(dataset) == ROWS


def test_a_data_set_can_be_read_again_from_its_first_row(tmp_path: Path) -> None:
    dataset = open_dataset(write(tmp_path / "a.csv", CSV))
    assert list(dataset) == list(dataset) == ROWS


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("7", 7),
        ("-7", -7),
        ("0", 0),
        ("-0.5", -0.5),
        (".5", 0.5),
        ("1e-3", 0.001),
        ("", None),
        ("UP", "UP"),
        ("007", "007"),
        ("1_000", "1_000"),
        ("nan", "nan"),
        ("-inf", "-inf"),
        ("1e999", "1e999"),
        ("True", "True"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("٣", "٣"),
    ],
)
def test_a_cell_is_a_number_only_where_it_is_written_as_one(
    tmp_path: Path, cell: str, value: object
) -> None:
    [(got, _)] = read(write(tmp_path / "a.csv", f"a,b\n{cell},x\n"))
    assert (got, type(got)) == (value, type(value))


def test_a_quoted_cell_may_hold_a_comma_and_a_line_break(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv", 'a,b\n"x,\ny",1\n')) == [("x,\ny", 1)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "a,b\n1,2\n1,2,3\n", "line 3 has 3 cells, the header 2"),
        ("a.csv", "", "no columns"),
        ("a.csv", "a,\n1,2\n", "column 2 has no name"),
        ("a.csv", "a,a\n1,2\n", "two columns are called 'a'"),
        ("a.csv", b"a,b\n\xff,2\n", "UTF-8"),
        ("a.csv", 'a,b\n"1,2\n', "not a text table"),
        ("a.csv.gz", CSV, "damaged or not compressed"),
        ("a.csv.xz", CSV, "damaged or not compressed"),
        ("a.csv.xz", lzma.compress(CSV.encode())[:-9], "damaged or not compressed"),
        ("a.ndjson", '{"a": 1}\n[1]\n', "line 2 is no JSON object"),
        ("a.ndjson", '{"a": NaN}\n', "line 1 is no JSON object"),
        ("a.jsonl", "", "no columns"),
        ("a.parquet", "not parquet", "not a readable Parquet file"),
        ("a.xlsx", "", "unknown ending; it must be .csv"),
        ("a.parquet.gz", "", "unknown ending"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_one_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        read(write(tmp_path / name, content))
    assert message in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.ndjson", "a.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match=rf"{name}: no such file"):
        open_dataset(str(tmp_path / name))


def test_a_folder_is_not_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(DatasetError, match="cannot be read"):
        open_dataset(str(tmp_path / "a.csv"))


def test_json_lines_have_the_columns_of_their_first_rows(tmp_path: Path) -> None:
    content = '{"id": 1, "x": 0.5}\n\n{"x": 2, "label": "UP"}\n'
    dataset = open_dataset(write(tmp_path / "a.ndjson.gz", gzip.compress(content.encode())))
    assert dataset.columns == ("id", "x", "label")
    assert list(dataset) == [(1, 0.5, None), (None, 2, "UP")]


def test_a_column_that_comes_late_in_json_lines_is_not_lost_in_silence(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", '{"a": 1}\n' * 100 + '{"a": 1, "late": 2}\n')
    with pytest.raises(DatasetError, match="line 101 has a column 'late'"):
        read(source)


def test_parquet_is_read_over_all_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"id": list(range(25)), "x": [i / 2 for i in range(25)]})
    pq.write_table(table, path, row_group_size=10)
    dataset = open_dataset(str(path))
    assert (dataset.columns, dataset.total) == (("id", "x"), 25)
    assert list(dataset) == list(dataset) == [(i, i / 2) for i in range(25)]


def test_a_damaged_page_in_parquet_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": list(range(1000))}), path, compression="gzip")
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(len(content[4:2000]))
    dataset = open_dataset(write(path, bytes(content)))
    with pytest.raises(DatasetError, match="not a readable Parquet file"):
        list(dataset)


def test_parquet_times_in_nanoseconds_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    times = pa.array([1_700_000_000_000_000_001], pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table({"ts": times, "price": [Decimal("1.50")]}), path)
    assert read(str(path)) == [(datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), Decimal("1.50"))]


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (id INTEGER, x REAL, label TEXT)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", [(1, 0.5, "UP"), (2, None, "DOWN")])
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


def test_a_query_can_be_iterated_again(database: str) -> None:
    dataset = open_dataset(database, "SELECT id, x, label AS class FROM t ORDER BY id")
    assert dataset.columns == ("id", "x", "class")
    assert list(dataset) == list(dataset) == ROWS


@pytest.mark.parametrize(
    ("url", "query", "message"),
    [
        (None, None, "--query: missing"),
        (None, "SELECT nope FROM t", "no such column: nope"),
        (None, "SELEC 1", "syntax error"),
        (None, "DELETE FROM t", "gives no rows"),
        ("nosuch://user:hidden@host/name", "SELECT 1", "not a database URL"),
        ("://hidden", "SELECT 1", "not a database URL"),
        ("postgresql://user:hidden@host/name", "SELECT 1", "driver 'psycopg"),
        ("sqlite:////nowhere/hidden/a.db", "SELECT 1", "cannot connect"),
    ],
)
def test_what_is_wrong_with_a_query_is_told_in_one_line_without_the_url(
    database: str, url: str | None, query: str | None, message: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        open_dataset(url or database, query)
    assert message in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_query_that_breaks_off_is_told(database: str) -> None:
    dataset = open_dataset(
        database, "SELECT CASE id WHEN 2 THEN abs(-9223372036854775808) END FROM t"
    )
    with pytest.raises(DatasetError, match="query: broke off") as caught:
        list(dataset)
    assert "\n" not in str(caught.value)


def test_a_query_changes_nothing(database: str) -> None:
    with pytest.raises(DatasetError):
        open_dataset(database, "DELETE FROM t")
    assert len(read(database, "SELECT * FROM t")) == 2


def test_a_query_beside_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="--query"):
        open_dataset(write(tmp_path / "a.csv", CSV), "SELECT 1")


@pytest.mark.parametrize(
    ("source", "query", "package"),
    [("a.parquet", None, "pyarrow"), ("sqlite://", "SELECT 1", "sqlalchemy")],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, source: str, query: str | None, package: str
) -> None:
    def absent(name: str) -> ModuleType:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(DatasetError, match=f"pip install {package}"):
        open_dataset(source, query)


def test_reading_part_of_a_file_leaves_it_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = open_dataset(write(tmp_path / "a.csv", CSV))
    opened = []
    true_open = Path.open

    def spy(self: Path, *args: Any) -> Any:
        opened.append(true_open(self, *args))
        return opened[-1]

    monkeypatch.setattr(Path, "open", spy)
    rows = iter(dataset)
    next(rows)
    del rows
    assert [file.closed for file in opened] == [True]
