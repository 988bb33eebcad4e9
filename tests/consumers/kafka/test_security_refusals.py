"""Why Kafka does not let a client in, as far as it can be told without a broker."""

import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from confluent_kafka import KafkaError

from consumers.errors import KafkaUnreachableError
from consumers.kafka.coordinator import Member
from consumers.kafka.failures import Complaints, ending
from consumers.kafka.membership import StandsBy
from consumers.kafka.refusals import _addresses, _of_certificate, why_refused
from consumers.loop.delivery import lost
from producers.transactional_sink import TransactionError

BROKER = "sasl_ssl://localhost:9093/bootstrap: "
REFUSED = f"{BROKER}SASL authentication error: no such user (after 323ms in state AUTH_REQ)"
ALERT = f"{BROKER}Receive failed: SSL alert number 42 (after 0ms in state APIVERSION_QUERY)"


@contextmanager
def port(context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Give the address of a port that greets by TLS, or hangs up on whoever does."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        server = threading.Thread(target=_serve, args=(listening, context))
        server.start()
        yield f"localhost:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        server.join()


def _serve(listening: socket.socket, context: ssl.SSLContext | None) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:  # it is over
            return
        with connection:
            try:
                if context is None:
                    connection.recv(1)
                else:
                    context.wrap_socket(connection, server_side=True).close()
            except OSError:  # the client does not trust us
                continue


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def speaking_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def why(
    address: str, error: KafkaError | None = None, *, may_guess: bool = True, **options: str
) -> str | None:
    named = {key.replace("_", "."): value for key, value in options.items()}
    return why_refused({"bootstrap.servers": address, **named}, error, may_guess=may_guess)


@pytest.mark.parametrize(
    ("servers", "found"),
    [
        ("a:1", [("a", 1)]),
        ("a", [("a", 9092)]),
        ("a:1, b:2", [("a", 1), ("b", 2)]),
        ("SASL_SSL://a:1", [("a", 1)]),
        ("[::1]:1", [("::1", 1)]),
        ("a:1,b:2,c:3,d:4", [("a", 1), ("b", 2), ("c", 3)]),
    ],
)
def test_addresses_are_understood_as_librdkafka_does(servers: str, found: object) -> None:
    assert list(_addresses(servers)) == found


def test_a_refused_login_names_the_user_and_never_the_password() -> None:
    error = KafkaError(KafkaError._AUTHENTICATION, REFUSED)
    login: dict[str, Any] = {"sasl_username": "ann", "sasl_password": "hunter2"}
    line = why("localhost:1", error, **login)
    assert line == (
        "kafka.librdkafka: sasl.username = 'ann': Kafka refuses the login (SASL authentication "
        "error: no such user); set sasl.username and sasl.password to what the broker knows"
    )


def test_where_nobody_listens_nothing_is_known() -> None:
    assert why("localhost:1", security_protocol="SSL") is None
    assert why("localhost:1") is None


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_of_an_address_that_is_no_name_of_a_host_nothing_is_known(protocol: str) -> None:
    for host in ("kafka..svc", "k" * 64):
        assert why(f"{host}:9092", security_protocol=protocol) is None


def test_a_certificate_is_not_looked_for_where_the_address_is_no_name_of_a_host() -> None:
    assert _of_certificate({}, "kafka..svc", 9092) is None


def test_a_port_that_speaks_tls_is_told_from_one_that_does_not(
    speaking_tls: ssl.SSLContext,
) -> None:
    with port(speaking_tls) as address:
        assert "speaks TLS; set it to 'SSL'" in (why(address) or "")
    with port() as address:
        assert "does not answer in TLS" in (why(address, security_protocol="ssl") or "")
        assert "'SASL_PLAINTEXT'" in (why(address) or "")


def test_a_port_that_hangs_up_may_be_a_broker_that_starts() -> None:
    with port() as address:
        assert why(address, may_guess=False, security_protocol="SSL") is None
        assert why(address, may_guess=False) is None


def test_an_authority_may_be_given_as_a_file_or_as_text(
    authority: trustme.CA, speaking_tls: ssl.SSLContext, tmp_path: Path
) -> None:
    pem = authority.cert_pem.bytes().decode()
    (tmp_path / "ca.pem").write_text(pem)
    other = trustme.CA().cert_pem.bytes().decode()
    tls: dict[str, Any] = {"security_protocol": "SASL_SSL"}
    with port(speaking_tls) as address:
        assert why(address, ssl_ca_pem=pem, **tls) is None
        assert why(address, ssl_ca_location=str(tmp_path / "ca.pem"), **tls) is None
        assert "not signed by that authority" in (why(address, ssl_ca_pem=other, **tls) or "")
        assert "not signed by that authority" in (why(address, **tls) or "")


def test_what_the_user_switched_off_is_not_complained_of(
    authority: trustme.CA, speaking_tls: ssl.SSLContext
) -> None:
    pem = authority.cert_pem.bytes().decode()
    tls: dict[str, Any] = {"security_protocol": "SASL_SSL"}
    with port(speaking_tls) as address:
        by_number = address.replace("localhost", "127.0.0.1")
        assert "another host's" in (why(by_number, ssl_ca_pem=pem, **tls) or "")
        tls["ssl_endpoint_identification_algorithm"] = "none"
        assert why(by_number, ssl_ca_pem=pem, **tls) is None
        tls["enable_ssl_certificate_verification"] = "false"
        assert why(by_number, **tls) is None


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (KafkaError._AUTHENTICATION, REFUSED),
        (KafkaError._SSL, "certificate verify failed"),
        (KafkaError._TRANSPORT, ALERT),
    ],
)
def test_a_refusal_is_remembered_whatever_follows_from_it(code: int, text: str) -> None:
    complaints = Complaints("events")
    complaints(KafkaError(KafkaError._TRANSPORT, "connection refused"))
    before = complaints.is_refusal
    complaints(KafkaError(code, text))
    complaints(KafkaError(KafkaError._TRANSPORT, "disconnected"))
    complaints(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    assert (before, complaints.is_refusal) == (False, True)
    assert complaints.last == text


def test_a_group_that_may_not_be_joined_is_named_and_not_the_topic() -> None:
    end = ending(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED), "events")
    assert isinstance(end, KafkaUnreachableError)
    assert str(end).startswith("input.group: ")
    assert "READ" in str(end)


def test_a_transactional_id_that_may_not_be_used_has_one_mend() -> None:
    error = lost(TransactionError("output.delivery: no right; grant WRITE on it", definite=True))
    assert isinstance(error, KafkaUnreachableError)
    assert "create the topic" not in str(error)


def test_a_group_that_may_not_be_seen_ends_the_wait_for_it() -> None:
    forbidden: Future[list[Member]] = Future()
    forbidden.set_exception(KafkaUnreachableError("input.group: grant READ on it"))
    membership = StandsBy(lambda: forbidden, None, lambda: 0.5)
    with pytest.raises(KafkaUnreachableError, match="READ"):
        membership.may_join(1.0)
