import hashlib
import itertools
import lzma
from importlib.resources import files

from producers.elec2 import CLASSES, FEATURES, ROWS, Elec2
from producers.rows import Dataset


def test_all_rows_are_there_in_order_with_ids_of_their_own() -> None:
    dataset: Dataset = Elec2()
    rows = list(dataset)
    assert len(rows) == dataset.total == ROWS
    assert [row[0] for row in rows] == [f"e{number}" for number in range(1, ROWS + 1)]
    assert rows[-1][1:] == (
        *(0.9158, 7, 1, 0.050679, 0.288753, 0.003542, 0.355256, 0.23114),
        "DOWN",
    )


def test_labels_are_the_declared_classes_and_features_are_numbers() -> None:
    rows = list(Elec2())
    assert sorted({row[-1] for row in rows}) == list(CLASSES)
    assert {len(row) for row in rows} == {len(FEATURES) + 2}
    assert {type(value) for row in rows for value in row[1:-1]} == {int, float}


def test_saying_what_was_said_last_is_right_in_85_percent_of_the_rows() -> None:
    labels = [row[-1] for row in Elec2()]
    same = sum(a == b for a, b in itertools.pairwise(labels))
    assert round(same / ROWS, 4) == 0.8533


def test_the_carried_file_is_the_one_the_notes_describe() -> None:
    folder = files("producers").joinpath("data")
    content = lzma.decompress(folder.joinpath("elec2.csv.xz").read_bytes())
    notes = folder.joinpath("README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(content).hexdigest() in notes
