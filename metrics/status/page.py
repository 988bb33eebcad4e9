"""The page itself, as one HTML file, and the headers that keep it to that file."""

import base64
import hashlib
import re
from importlib.resources import files

_NO_STORE = ("Cache-Control", "no-store")
_NO_SNIFF = ("X-Content-Type-Options", "nosniff")
EVENT_HEADERS = (
    ("Content-Type", "text/event-stream; charset=utf-8"),
    _NO_STORE,
    _NO_SNIFF,
    ("X-Accel-Buffering", "no"),  # else nginx keeps events back until it has some kilobytes
)


def html() -> bytes:
    """Read the page."""
    return files("metrics.status").joinpath("page.html").read_bytes()


def page_headers(page: bytes) -> tuple[tuple[str, str], ...]:
    """Give the headers of the page: only what stands in it may run, and nobody may frame it."""
    policy = (
        "default-src 'none'",
        f"script-src {_hashes('script', page)}",
        f"style-src {_hashes('style', page)}",
        "connect-src 'self'",
        "img-src data:",  # the icon
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", "; ".join(policy)),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        _NO_STORE,
        _NO_SNIFF,
    )


def _hashes(element: str, page: bytes) -> str:
    """Name the content of each such element by its hash, as a Content-Security-Policy does."""
    contents = re.findall(rf"<{element}>(.*?)</{element}>".encode(), page, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(each).digest()).decode() for each in contents)
    return " ".join(f"'sha256-{digest}'" for digest in digests)
