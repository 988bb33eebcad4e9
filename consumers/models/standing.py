"""Which checkpoints of the store count: the committed lineage, held against a description of all.

Also what a word of the user means. Pure; a start follows the lineage by `lineage` instead, which
reads no further back than it must.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from consumers.checkpoints.agreement import Claims
from consumers.checkpoints.pointer import Pointer
from consumers.errors import SettingsError
from consumers.models.stored import Described


@dataclass(frozen=True, slots=True)
class Line:
    """The committed lineage, as far back as it can be followed.

    Attributes
    ----------
    keys : tuple of str
        Names, from the committed checkpoint back.
    candidates : frozenset of str
        Where a checkpoint is missing, or does not even tell its parent: names of lower epochs, of
        which any may be of the lineage.
    """

    keys: tuple[str, ...] = ()
    candidates: frozenset[str] = frozenset()

    def holds(self, key: str) -> bool | None:
        """Tell whether a checkpoint is of the lineage; None where that is not known."""
        if key in self.keys:
            return True
        return None if key in self.candidates else False


def follow(committed: Pointer | None, there: Mapping[str, Described]) -> Line:
    """Walk from the committed checkpoint to its parent, and so on.

    Parameters
    ----------
    committed : Pointer or None
        Where to begin; None gives an empty lineage.
    there : mapping of str to Described
        All of the store.
    """
    keys: list[str] = []
    pointer = committed
    while pointer is not None:
        found = there.get(pointer.key)
        if found is not None:
            keys.append(pointer.key)
        if found is None or not found.tells_parent:
            lower = {key for key, each in there.items() if each.epoch < pointer.epoch}
            return Line(tuple(keys), frozenset(lower))
        pointer = found.parent
    return Line(tuple(keys))


def pointer_to(key: str, there: Mapping[str, Described], claims: Claims | None) -> Pointer | None:
    """Give what a committed offset, or a later checkpoint, says of one; None if nothing does."""
    committed = [] if claims is None else list(claims.pointers.values())
    parents = [each.parent for each in there.values()]
    return next((one for one in [*committed, *parents] if one and one.key == key), None)


def choose(wanted: str, there: Mapping[str, Described], line: Line) -> str:
    """Find the checkpoint that a word of the user means.

    Parameters
    ----------
    wanted : str
        An epoch, a name, or the last part of a name.
    there : mapping of str to Described
        All of the store.
    line : Line
        An epoch that stands twice means the one in here.

    Raises
    ------
    SettingsError
        If there is none, or more than one.
    """
    if not wanted.isdecimal():
        found = [key for key in there if wanted in {key, key.rpartition("/")[2]}]
    else:
        found = [key for key, each in there.items() if each.epoch == int(wanted)]
        found = [key for key in found if line.holds(key)] or found
    if len(found) > 1:
        raise SettingsError(
            f"{wanted}: {len(found)} checkpoints have this epoch; name one: {', '.join(found)}"
        )
    if not found:
        epochs = sorted({each.epoch for each in there.values()})
        known = f"there are epochs {', '.join(map(str, epochs))}" if epochs else "there is none"
        raise SettingsError(f"{wanted}: no such checkpoint; {known}")
    return found[0]
