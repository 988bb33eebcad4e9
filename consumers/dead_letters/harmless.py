"""Text from records, made fit for a terminal: whoever writes to a topic must not drive the screen.

What may be shown at all is for the caller to decide.
"""

import codecs
import json
from typing import Any


def harmless(text: str, limit: int = 300) -> str:
    r"""Write everything that does not print as an escape, and cut what is too long.

    Control characters, marks that turn the direction of writing and lone surrogates go.

    Parameters
    ----------
    text : str
        Anything.
    limit : int
        Most characters of it that are kept.

    Examples
    --------
    >>> print(harmless("red: \x1b[31m, next line: \n"))
    red: \x1b[31m, next line: \n
    """
    kept = text if len(text) <= limit else f"{text[:limit]}..."
    if kept.isprintable():
        return kept
    return "".join(c if c.isprintable() else _escape(c) for c in kept)


def text_of(data: bytes, *, cut: bool = False) -> str | None:
    """Read bytes as UTF-8; None if they are not.

    Parameters
    ----------
    data : bytes
        Anything.
    cut : bool
        Whether the last character may be there in part only; it is left out then.
    """
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data, final=not cut)
    except UnicodeDecodeError:
        return None


def json_line(answer: Any) -> str:
    """Write an answer as one line of JSON that is all printable ASCII."""
    return json.dumps(answer).replace("\x7f", "\\u007f")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
