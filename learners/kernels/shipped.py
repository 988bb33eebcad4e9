"""Where numba finds the kernels' compiled copies if the folder of the code cannot be written.

It keeps them beside the code, or else in a folder of the user's, and refuses to work where it can
write to neither. An image with a read-only root carries them beside the code: there numba is told
of the class below by `NUMBA_CACHE_LOCATOR_CLASSES`. How kernels are compiled is in `compiling`.
"""

import shutil
import tempfile
from atexit import register
from functools import cache
from pathlib import Path
from typing import Any

from numba.core.caching import InTreeCacheLocator


class ShippedKernels(InTreeCacheLocator):
    """Finds what was compiled when the image was made; what is new goes to the temporary folder.

    Where the folder of the code can be written, nothing is different from numba's own ways.
    """

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "ShippedKernels | None":
        """Choose the folder for a function; numba asks once for each."""
        if not Path(py_file).exists():
            return None
        locator = cls(py_func, py_file)
        try:
            locator.ensure_cache_path()  # type: ignore[no-untyped-call]  # numba ships no types
        except OSError:
            locator._cache_path = str(_linked(Path(locator._cache_path)))
        return locator


@cache
def _linked(shipped: Path) -> Path:
    """Make a folder of this process's own, with links to all that was shipped.

    The links cost nothing, and a function of a new signature is kept beside them.
    """
    try:
        # A name that nobody can guess: what lies there is unpickled.
        folder = Path(tempfile.mkdtemp(prefix="streamfit-kernels-"))
        register(shutil.rmtree, folder, ignore_errors=True)
        for copy in shipped.glob("*.nb[ci]"):
            (folder / copy.name).symlink_to(copy)
    except OSError:
        return shipped  # nothing can be written: what was shipped is read where it is
    return folder
