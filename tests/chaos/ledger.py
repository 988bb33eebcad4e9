"""Input and output of a run side by side: what became of each event."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.chaos.evidence import Evidence, Record
from tests.chaos.inputs import Event, event_of
from tests.chaos.outputs import Letter, Place, Prediction, letters_in, predictions_in, too_large_in
from tests.chaos.violations import Violation


@dataclass(frozen=True)
class Ledger:
    """What became of each event.

    Attributes
    ----------
    records : mapping of (int, int) to Record
        The input by partition and offset.
    events : mapping of (int, int) to Event
        Those of the records that are events.
    predictions, letters : mapping of int to list
        By output partition, in order; predictions that were too large for their topic left out.
    said, refused : mapping of (int, int) to list
        The same by partition and offset of the source, in the order of the output.
    unreadable : list of Violation
        Output that tells nothing.
    """

    records: Mapping[Place, Record]
    events: Mapping[Place, Event]
    predictions: Mapping[int, list[Prediction]]
    letters: Mapping[int, list[Letter]]
    said: Mapping[Place, list[Prediction]]
    refused: Mapping[Place, list[Letter]]
    unreadable: list[Violation]


def ledger_of(evidence: Evidence) -> Ledger:
    """Read everything once."""
    topic = evidence.where.topic
    records = {
        (record.partition, record.offset): record
        for partition in sorted(evidence.input)
        for record in evidence.input[partition]
    }
    events = {
        place: event
        for place, record in records.items()
        if (event := event_of(record, evidence.model, topic)) is not None
    }
    unreadable: list[Violation] = []
    predictions = predictions_in(evidence.predictions, unreadable)
    letters = letters_in(evidence.dead_letters, topic, unreadable)
    said: dict[Place, list[Prediction]] = {}
    large = too_large_in(evidence.dead_letters, unreadable)
    logs = (*predictions.values(), *large.values())
    for prediction in (each for log in logs for each in log):
        said.setdefault(prediction.place, []).append(prediction)
    refused: dict[Place, list[Letter]] = {}
    for letter in (each for log in letters.values() for each in log):
        refused.setdefault(letter.place, []).append(letter)
    return Ledger(records, events, predictions, letters, said, refused, unreadable)
