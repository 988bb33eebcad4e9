"""Why Kafka does not let a client in: the key, what is wrong, and the mend.

librdkafka says the same of every certificate that it refuses, and nothing of a port that speaks
another protocol. So the port is asked once more, by a TLS handshake of Python's own; this happens
only after a connection has failed.
"""

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Any

from confluent_kafka import KafkaError

TIMEOUT_S = 1.5
MOST_ADDRESSES = 3
DEFAULT_PORT = 9092
_SECTION = "kafka.librdkafka"
# X509_V_ERR_*, as OpenSSL numbers them.
_NOT_YET_VALID, _EXPIRED = 9, 10
_OTHER_NAME = (62, 64)


class _Port(Enum):
    """What a port answers to a TLS handshake that trusts everybody."""

    TLS = auto()
    OTHER = auto()
    SILENT = auto()


def why_refused(
    config: Mapping[str, Any], error: KafkaError | None, *, may_guess: bool
) -> str | None:
    """Find out why no broker lets us in.

    Parameters
    ----------
    config : mapping
        Options of the client, secrets in plain text; none of them gets into the answer.
    error : KafkaError or None
        What the client complained of last.
    may_guess : bool
        Whether to name what is only likely: that a port which hangs up speaks another protocol.

    Returns
    -------
    str or None
        One line for people; None where it cannot be told, as where no broker is up.
    """
    if error is not None and error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001 public
        return _login(config, error)
    if error is not None and re.search("SSL alert|alert number", error.str()):
        return _own_certificate(config, error)
    for host, port in _addresses(config["bootstrap.servers"]):
        reason = _of_port(config, host, port, may_guess=may_guess)
        if reason is not None:
            return reason
    return None


def _login(config: Mapping[str, Any], error: KafkaError) -> str:
    told = _told(error)
    if "mechanism" in told and "handshake" in told:
        mechanism = _option(config, "sasl.mechanism", "sasl.mechanisms") or "GSSAPI"
        return f"{_SECTION}: sasl.mechanism = {mechanism!r}: {told}; take one that it supports"
    user = config.get("sasl.username")
    named = f"sasl.username = {user!r}" if user else "sasl.mechanism"
    return (
        f"{_SECTION}: {named}: Kafka refuses the login ({told}); set sasl.username and "
        "sasl.password to what the broker knows"
    )


def _own_certificate(config: Mapping[str, Any], error: KafkaError) -> str:
    given = config.get("ssl.certificate.location") or config.get("ssl.keystore.location")
    named = f"ssl.certificate.location = {given!r}" if given else "ssl.certificate.location"
    return (
        f"{_SECTION}: {named}: the broker wants another certificate of this client "
        f"({_told(error)}); name one that its authority signed, and its ssl.key.location"
    )


def _of_port(config: Mapping[str, Any], host: str, port: int, *, may_guess: bool) -> str | None:
    protocol = str(config.get("security.protocol", "PLAINTEXT")).upper()
    address, found = f"{host}:{port}", _knock(host, port)
    asked = f"{_SECTION}: security.protocol = {protocol!r}: {address}"
    if found is _Port.SILENT or (found is _Port.OTHER and not may_guess):
        return None
    if protocol.endswith("SSL") and found is _Port.OTHER:
        return (
            f"{asked} does not answer in TLS; name the TLS port, or set it to what is spoken there"
        )
    if not protocol.endswith("SSL") and found is _Port.TLS:
        return f"{asked} speaks TLS; set it to 'SSL' or 'SASL_SSL', or name the other port"
    if found is _Port.TLS:
        reason = _of_certificate(config, host, port)
        if reason is not None:
            return reason
    if protocol.startswith("SASL") or not may_guess:
        return None
    return (
        f"{asked} is there and does not answer us; does it want a login? Then set it to "
        f"'SASL_{protocol}', with sasl.mechanism, sasl.username and sasl.password"
    )


def _of_certificate(config: Mapping[str, Any], host: str, port: int) -> str | None:
    try:
        with _handshake(_trusting(config), host, port):
            return None
    except ssl.SSLCertVerificationError as error:
        code, why = error.verify_code, error.verify_message
    except (OSError, ValueError):  # ssl.SSLError is the former
        return None
    named = f"kafka.bootstrap_servers: the certificate of {host}:{port}"
    if code == _EXPIRED:
        return f"{named} has expired; renew it on the broker"
    if code == _NOT_YET_VALID:
        return f"{named} is not valid yet; set this machine's clock right, or renew it"
    if code in _OTHER_NAME:
        return f"{named} is another host's ({why}); name the broker as its certificate does"
    authority = config.get("ssl.ca.location")
    key = f"ssl.ca.location = {authority!r}" if authority else "ssl.ca.location"
    return (
        f"{_SECTION}: {key}: the certificate of {host}:{port} is not signed by that authority "
        f"({why}); name the file of the one that signed it"
    )


def _trusting(config: Mapping[str, Any]) -> ssl.SSLContext:
    """Trust whom librdkafka would trust."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    names = str(config.get("ssl.endpoint.identification.algorithm", "https"))
    context.check_hostname = names == "https"
    if str(config.get("enable.ssl.certificate.verification", True)).lower() == "false":
        return _careless()
    location, pem = config.get("ssl.ca.location"), config.get("ssl.ca.pem")
    if pem:
        context.load_verify_locations(cadata=str(pem))
    elif location and location != "probe":
        context.load_verify_locations(cafile=str(location))
    else:
        context.load_default_certs()
    return context


def _careless() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _knock(host: str, port: int) -> _Port:
    try:
        with _handshake(_careless(), host, port):
            return _Port.TLS
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError):
        return _Port.OTHER  # Kafka without TLS hangs up: the greeting is no request
    except ssl.SSLError as error:
        return _Port.OTHER if error.reason == "WRONG_VERSION_NUMBER" else _Port.TLS
    except (OSError, ValueError):  # the latter for what is no name of a host: "kafka..svc"
        return _Port.SILENT


@contextlib.contextmanager
def _handshake(context: ssl.SSLContext, host: str, port: int) -> Iterator[None]:
    with (
        socket.create_connection((host, port), TIMEOUT_S) as connection,
        context.wrap_socket(connection, server_hostname=host),
    ):
        yield


def _addresses(servers: str) -> Iterator[tuple[str, int]]:
    """Take `[protocol://]host[:port],...` apart; only the first few."""
    for server in servers.split(",")[:MOST_ADDRESSES]:
        plain = server.strip().rpartition("://")[2]
        parts = re.fullmatch(r"\[?(?P<host>.+?)\]?(?::(?P<port>\d+))?", plain)
        if parts is not None:
            yield parts["host"], int(parts["port"] or DEFAULT_PORT)


def _option(config: Mapping[str, Any], *names: str) -> str | None:
    """Give an option that has several names."""
    return next((str(config[name]) for name in names if config.get(name)), None)


def _told(error: KafkaError) -> str:
    """Leave out where and when librdkafka noticed: it differs each time."""
    words = re.sub(r"^\S+?://\S+: |^\S+:\d+/\S+: ", "", error.str())
    return re.sub(r" \(after \d+ms in state \w+.*\)$", "", words)
