"""Why a record is not learned: closed sets of stages and reasons, shared by metrics and headers."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Where a record was refused."""

    DECODE = "decode"
    SCHEMA = "schema"
    LABEL = "label"
    LEARN = "learn"
    PRODUCE = "produce"


class Reason(StrEnum):
    """Why a record was refused."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    INVALID_UTF8 = "invalid_utf8"
    TOO_DEEP = "too_deep"
    WRONG_TYPE = "wrong_type"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FEATURE = "unknown_feature"
    WRONG_LENGTH = "wrong_length"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_LABEL = "unknown_label"
    POISONED = "poisoned"


class SkipReason(StrEnum):
    """Why a record is passed over without being a dead letter."""

    TOMBSTONE = "tombstone"
    GAP = "gap"  # gone before it was read: removed by retention


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused record.

    Attributes
    ----------
    row : int
        Its position in the `Records` it came in.
    stage, reason : Stage, Reason
        From the closed sets above.
    detail : str
        What was wrong, naming fields and types but never a value.
    """

    row: int
    stage: Stage
    reason: Reason
    detail: str
