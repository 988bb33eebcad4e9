"""The pointer to a checkpoint, kept in the metadata string of every committed offset."""

import msgspec

# The broker's limit is 4,096 bytes and the binding adds one; the key is the only long part.
MAX_CHARACTERS = 4000


class Pointer(msgspec.Struct, frozen=True):
    """Names one checkpoint, and lets nothing else pass for it.

    Attributes
    ----------
    key : str
        Its name in the store.
    sha256 : str
        Hash of the whole checkpoint, hexadecimal.
    epoch : int
        Its number in the lineage.
    size : int
        Bytes of the whole checkpoint: looked at before it is read.
    """

    key: str
    sha256: str
    epoch: int
    size: int

    def to_metadata(self) -> str:
        """Write it as the metadata string of an offset.

        Raises
        ------
        ValueError
            If it is longer than a broker stores.
        """
        text = msgspec.json.encode(self).decode()
        if len(text) > MAX_CHARACTERS:
            raise ValueError(f"pointer of {len(text)} characters; a broker stores 4,090")
        return text


def from_metadata(metadata: str | None) -> Pointer | None:
    """Read the metadata string of an offset; None where it holds no pointer of ours."""
    try:
        return msgspec.json.decode(metadata or "", type=Pointer)
    except (msgspec.DecodeError, RecursionError):  # the latter for brackets, thousands deep
        return None
