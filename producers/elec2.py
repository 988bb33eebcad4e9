"""The Elec2 data set, carried in the package; where it comes from stands in `data/README.md`."""

import io
import lzma
from collections.abc import Iterator
from importlib.resources import files
from typing import IO

from producers.row_files import CsvRows
from producers.rows import Row

FEATURES = (
    "date",
    "day",
    "period",
    "nswprice",
    "nswdemand",
    "vicprice",
    "vicdemand",
    "transfer",
)
CLASSES = ("DOWN", "UP")
ROWS = 45_312


class Elec2:
    """Elec2 as a data set: `id` (`e1` to `e45312`), the eight features, `label` (`UP` or `DOWN`).

    Examples
    --------
    >>> next(iter(Elec2()))
    ('e1', 0, 2, 0, 0.056443, 0.439155, 0.003467, 0.422915, 0.414912, 'UP')
    """

    columns = ("id", *FEATURES, "label")
    total = ROWS

    def __iter__(self) -> Iterator[Row]:
        for number, row in enumerate(CsvRows("elec2", _open, total=ROWS), 1):
            yield (f"e{number}", *row)


def _open() -> IO[bytes]:
    packed = files("producers").joinpath("data", "elec2.csv.xz").read_bytes()
    return io.BytesIO(lzma.decompress(packed))
