"""TLS for the pages: certificates from files, read again when they are renewed."""

import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger("streamfit.metrics")
LOOK_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the certificates are, in PEM format.

    Attributes
    ----------
    certificate : Path
        The server's, with those between it and its authority behind it.
    key : Path or None
        Its private key, without a password; None if it stands in the file of the certificate.
    client_ca : Path or None
        Authorities of the clients; where given, a client without such a certificate is refused.
    """

    certificate: Path
    key: Path | None = None
    client_ca: Path | None = None


class TlsFileError(Exception):
    """A file cannot be used.

    Parameters
    ----------
    which : str
        The attribute of `TlsFiles`.
    path : Path
        The file.
    reason : str
        What is wrong with it.
    """

    def __init__(self, which: str, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.which, self.path, self.reason = which, path, reason


class Tls:
    """Makes connections secure; a renewed certificate holds for those that come later.

    Parameters
    ----------
    files : TlsFiles
        Where the certificates are.
    clock : callable
        Seconds that never go back.

    Raises
    ------
    TlsFileError
        If a file cannot be used.
    """

    def __init__(self, files: TlsFiles, clock: Callable[[], float]) -> None:
        self._files = files
        self._clock = clock
        self._stamps = _stamps(files)
        self._looked_s = clock()
        self._context = _context(files)

    def wrap(self, connection: socket.socket) -> ssl.SSLSocket:
        """Give the secure side of a connection, without a word to the client yet.

        Called by one thread only. Raises OSError if the connection is gone already.
        """
        self._look()
        return self._context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )

    def _look(self) -> None:
        """Read the files again if they have changed; while they do not fit, the old ones hold."""
        now_s = self._clock()
        if now_s - self._looked_s < LOOK_AGAIN_S:
            return
        self._looked_s = now_s
        stamps = _stamps(self._files)
        if stamps == self._stamps:
            return
        # Files that are being written are read again once they have changed once more.
        self._stamps = stamps
        try:
            self._context = _context(self._files)
        except TlsFileError as error:
            _log.warning("metrics: the certificates before still hold: %s", error)
        else:
            _log.info("metrics: certificates read again")


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for which in ("certificate", "key", "client_ca"):
        _require_readable(which, getattr(files, which))
    try:
        # A password that fits nothing: without one, OpenSSL asks for it at the terminal.
        context.load_cert_chain(files.certificate, files.key, password="")
    except (ssl.SSLError, ValueError) as error:
        which, path = _guilty(files)
        raise TlsFileError(which, path, _reason(which, error)) from error
    if files.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(files.client_ca)
        except (ssl.SSLError, ValueError) as error:
            reason = _reason("client_ca", error)
            raise TlsFileError("client_ca", files.client_ca, reason) from error
    return context


def _require_readable(which: str, path: Path | None) -> None:
    try:
        if path is not None:
            path.read_bytes()
    except OSError as error:
        raise TlsFileError(which, path or Path(), error.strerror or str(error)) from error


def _guilty(files: TlsFiles) -> tuple[str, Path]:
    """Tell which of certificate and key does not fit: OpenSSL names neither."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(files.certificate)
    except (ssl.SSLError, ValueError):
        return "certificate", files.certificate
    return ("certificate", files.certificate) if files.key is None else ("key", files.key)


def _reason(which: str, error: Exception) -> str:
    said = str(getattr(error, "reason", None) or error).replace("_", " ").lower()
    expected = {
        "certificate": "not a certificate (and, without tls_key, its private key) in PEM format",
        "key": "not the certificate's private key in PEM format, without a password",
        "client_ca": "no certificate in PEM format",
    }
    return f"{expected[which]} ({said})"


def _stamps(files: TlsFiles) -> tuple[tuple[int, int, int] | None, ...]:
    return tuple(_stamp(path) for path in (files.certificate, files.key, files.client_ca) if path)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_mtime_ns, told.st_ino, told.st_size
