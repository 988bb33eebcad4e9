"""TLS on the pages: who gets an answer, who does not, and what a renewal changes."""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from metrics.server import CLIENT_TIMEOUT_S
from metrics.tls import LOOK_AGAIN_S, Tls, TlsFileError, TlsFiles
from tests.metrics.http_site import PATIENCE_S, Clock, Site


@dataclass
class Papers:
    """An authority, and what it has issued, on disk."""

    folder: Path
    authority: trustme.CA

    def issue(self, name: str, identity: str = "127.0.0.1") -> TlsFiles:
        issued = self.authority.issue_cert(identity)
        files = TlsFiles(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        assert files.key is not None
        files.certificate.write_bytes(b"".join(b.bytes() for b in issued.cert_chain_pems))
        files.key.write_bytes(issued.private_key_pem.bytes())
        return files

    def authority_file(self) -> Path:
        path = self.folder / "ca.crt"
        self.authority.cert_pem.write_to_path(str(path))
        return path

    def client(self, name: str | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority_file()))
        if name is not None:
            files = self.issue(name, "client@example.org")
            context.load_cert_chain(files.certificate, files.key)
        return context


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path, trustme.CA())


@pytest.fixture
def stranger(tmp_path: Path) -> Papers:
    folder = tmp_path / "stranger"
    folder.mkdir()
    return Papers(folder, trustme.CA())


def serving(files: TlsFiles) -> "contextlib.closing[Secure]":
    return contextlib.closing(Secure(files))


class Secure(Site):
    """A site with TLS."""

    def __init__(self, files: TlsFiles) -> None:
        clock = Clock()
        super().__init__(clock=clock, tls=Tls(files, clock))
        self.server.start()

    def close(self) -> None:
        self.server.close()

    def fetch(self, context: ssl.SSLContext, path: str = "/livez") -> int:
        connection = http.client.HTTPSConnection(
            self.host, self.server.port, timeout=PATIENCE_S, context=context
        )
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def certificate(self, context: ssl.SSLContext) -> bytes | None:
        with self.connect() as plain, context.wrap_socket(plain, server_hostname=self.host) as tls:
            return tls.getpeercert(binary_form=True)


@pytest.fixture
def secure(papers: Papers) -> Iterator[Secure]:
    with serving(papers.issue("server")) as site:
        yield site


@pytest.fixture
def mutual(papers: Papers) -> Iterator[Secure]:
    files = papers.issue("server")
    with serving(TlsFiles(files.certificate, files.key, papers.authority_file())) as site:
        yield site


def test_a_client_that_knows_the_authority_gets_the_pages(secure: Secure, papers: Papers) -> None:
    assert [secure.fetch(papers.client(), path) for path in ("/livez", "/", "/metrics")] == [
        200
    ] * 3


def test_a_client_with_another_authority_refuses_the_server(
    secure: Secure, stranger: Papers
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        secure.fetch(stranger.client())


def test_old_versions_of_tls_are_refused(secure: Secure) -> None:
    # A connection proves nothing: clients of today refuse those versions by themselves.
    assert secure.tls is not None
    assert secure.tls._context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_where_clients_need_a_certificate_only_those_of_the_authority_get_an_answer(
    mutual: Secure, papers: Papers, stranger: Papers
) -> None:
    assert mutual.fetch(papers.client("prometheus")) == 200
    foreign = papers.client()
    files = stranger.issue("intruder", "client@example.org")
    foreign.load_cert_chain(files.certificate, files.key)
    for refused in (papers.client(), foreign):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            mutual.fetch(refused)
    assert mutual.fetch(papers.client("prometheus")) == 200


def test_plain_http_gets_no_answer_and_harms_nobody(
    secure: Secure,
    papers: Papers,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with secure.connect() as plain:
        plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        said = b""
        with contextlib.suppress(ConnectionError):
            while read := plain.recv(1000):
                said += read
    assert b"HTTP" not in said
    assert secure.fetch(papers.client()) == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert capfd.readouterr().err == ""


@pytest.mark.usefixtures("patient")
def test_a_client_that_says_nothing_holds_up_nobody_and_is_ended(
    secure: Secure, papers: Papers
) -> None:
    silent = [secure.connect() for _ in range(20)]
    assert secure.fetch(papers.client()) == 200
    secure.clock.now += CLIENT_TIMEOUT_S
    for client in silent:
        with contextlib.suppress(ConnectionError):
            assert client.recv(1000) == b""
        client.close()


def test_a_close_ends_streams_under_tls(secure: Secure, papers: Papers) -> None:
    plain = socket.create_connection((secure.host, secure.server.port), timeout=PATIENCE_S)
    with papers.client().wrap_socket(plain, server_hostname=secure.host) as client:
        client.sendall(b"GET /events HTTP/1.1\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.0 200"
        secure.close()
        with contextlib.suppress(OSError):  # however it ends
            while client.recv(65_536):
                pass


def test_a_renewed_certificate_holds_for_new_connections(secure: Secure, papers: Papers) -> None:
    before = secure.certificate(papers.client())
    papers.issue("server")
    assert secure.certificate(papers.client()) == before
    secure.clock.now += LOOK_AGAIN_S
    assert secure.certificate(papers.client()) != before


def test_while_a_renewal_is_half_written_the_certificate_before_holds(
    secure: Secure, papers: Papers, caplog: pytest.LogCaptureFixture
) -> None:
    before = secure.certificate(papers.client())
    (papers.folder / "server.crt").write_text("-----BEGIN CERT")
    secure.clock.now += LOOK_AGAIN_S
    assert secure.certificate(papers.client()) == before
    assert "the certificates before still hold" in caplog.text
    papers.issue("server")
    secure.clock.now += LOOK_AGAIN_S
    assert secure.certificate(papers.client()) != before


def test_certificate_and_key_may_stand_in_one_file(papers: Papers) -> None:
    files = papers.issue("server")
    assert files.key is not None
    files.certificate.write_bytes(files.certificate.read_bytes() + files.key.read_bytes())
    with serving(TlsFiles(files.certificate)) as site:
        assert site.fetch(papers.client()) == 200


def refusal(files: TlsFiles) -> tuple[str, str]:
    with pytest.raises(TlsFileError) as raised:
        Tls(files, Clock())
    return raised.value.which, raised.value.reason


def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong(
    papers: Papers, tmp_path: Path
) -> None:
    good, other = papers.issue("server"), papers.issue("other")
    text, nowhere = tmp_path / "text", tmp_path / "nowhere"
    text.write_text("no certificate")
    missing = "No such file or directory"
    assert refusal(TlsFiles(nowhere, good.key)) == ("certificate", missing)
    assert refusal(TlsFiles(good.certificate, nowhere)) == ("key", missing)
    assert refusal(TlsFiles(good.certificate, good.key, nowhere)) == ("client_ca", missing)
    assert refusal(TlsFiles(text, good.key))[0] == "certificate"
    assert refusal(TlsFiles(good.certificate, text))[0] == "key"
    assert refusal(TlsFiles(good.certificate, good.key, text))[0] == "client_ca"
    assert refusal(TlsFiles(good.certificate))[0] == "certificate"
    which, reason = refusal(TlsFiles(good.certificate, other.key))
    assert which == "key"
    assert "not the certificate's private key" in reason


def test_a_key_with_a_password_is_refused_without_asking_for_it(papers: Papers) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 trustme brings it

    files = papers.issue("server")
    assert files.key is not None
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    )
    which, reason = refusal(files)
    assert which == "key"
    assert "without a password" in reason
