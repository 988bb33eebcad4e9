"""How much memory this process takes. What it may take is in `consumers.kafka.memory`."""

import os
from pathlib import Path

_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int | None:
    """Give the resident memory in bytes; None where the system does not tell as Linux does."""
    try:
        # Sizes in pages: the whole address space, then what is resident (proc(5)).
        return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE
    except OSError:
        return None
