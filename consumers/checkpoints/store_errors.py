"""What every store says when it refuses, so that all of them say it alike.

Which stores there are is not known here.
"""

import re

from consumers.errors import CheckpointError, DamagedCheckpointError, SettingsError

_PASSWORD = re.compile(r"(?<=//)([^/:@]*):.*@")
_QUERY = re.compile(r"\?.*")


def masked(address: str) -> str:
    """Give an address as it may be shown: without its password and its query, which may hold one.

    >>> masked("sftp://ann:secret@host/folder")
    'sftp://ann:***@host/folder'
    >>> masked("az://box/folder?sig=secret")
    'az://box/folder?***'
    """
    return _QUERY.sub("?***", _PASSWORD.sub(r"\1:***@", address))


def refused(address: str, problem: str) -> SettingsError:
    """Make the error of an address that cannot be opened; `problem` ends with the mend."""
    return SettingsError(f"checkpoint.store = {masked(address)!r}: {problem}")


def missing(key: str, place: str) -> DamagedCheckpointError:
    """Make the error of a name under which a place keeps nothing."""
    return DamagedCheckpointError(
        f"checkpoint {key}: not in {place}; mount the store that has it, "
        "or reset the group's offsets to begin anew"
    )


def refuse_larger(key: str, size: int, max_bytes: int) -> None:
    """Refuse to read what is larger than a checkpoint may be.

    Raises
    ------
    CheckpointError
        If `size` is above `max_bytes`.
    """
    if size > max_bytes:
        raise CheckpointError(
            f"checkpoint {key}: {size} bytes, more than the {max_bytes} of checkpoint.max_bytes; "
            "raise checkpoint.max_bytes if it is really so large"
        )
