"""A broker that asks who its clients are: TLS, SASL, client certificates, and rights per user.

It runs by Maven and Java wherever the tests run: none of the other kinds lets a test choose its
listeners. The plain listener is the administrator's, and its anonymous user may do everything.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trustme
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # all of them are public
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.brokers.kafka import TIMEOUT_S, Kafka
from tests.brokers.maven import MavenServer
from tests.brokers.server import Announce, free_port

HOST = "localhost"
_SILENT = logging.getLogger("silent")
_SILENT.disabled = True
ITERATIONS = 4096  # the least that a broker takes for SCRAM
Right = tuple[ResourceType, str, AclOperation]
PLAIN = ("plain", "plain-password")  # the one user that logs in by PLAIN, and its password


class Door(StrEnum):
    """A listener of the broker, named for what a client meets there."""

    SASL = "SASL"  # SASL_SSL: SCRAM-SHA-512 or PLAIN
    MUTUAL = "MUTUAL"  # SSL with a client certificate
    EXPIRED = "EXPIRED"  # SASL_SSL, the certificate has expired
    MISNAMED = "MISNAMED"  # SASL_SSL, the certificate is another host's


class SecureKafka(Kafka):
    """A broker with one listener of each kind, users that tests make, and no rights but given ones.

    Attributes
    ----------
    folder : Path
        Holds `ca.pem`, `other-ca.pem` and client certificates.
    """

    def __init__(self) -> None:
        self._temporary = TemporaryDirectory(prefix="streamfit-certificates-")
        self.folder = Path(self._temporary.name)
        self._ports = {door: free_port() for door in Door}
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(self.folder / "ca.pem")
        trustme.CA().cert_pem.write_to_path(self.folder / "other-ca.pem")
        self._maven = MavenServer(adapt=self._adapt)
        super().__init__(self._maven)

    def prepare(self, announce: Announce) -> None:
        """Look whether the machine has Maven and Java. Raises `UnavailableError`."""
        self._maven.prepare(announce)

    def start(self) -> None:
        """Start the broker, and return once groups can be asked for, too."""
        super().start()
        options = {"bootstrap.servers": self.bootstrap_servers, "group.id": "first"}
        first, deadline = Consumer(options, logger=_SILENT), time.monotonic() + TIMEOUT_S
        try:
            while not _answers(first):
                assert time.monotonic() < deadline, "no coordinator of groups"
                time.sleep(0.1)
        finally:
            first.close()

    def address(self, door: Door) -> str:
        """Give the address of a listener."""
        return f"{HOST}:{self._ports[door]}"

    def certificate(self, name: str) -> tuple[Path, Path]:
        """Make a client certificate for a user; gives the files of the certificate and its key."""
        leaf = self._ca.issue_cert(f"{name}@example.org", common_name=name)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        key.write_bytes(_pkcs8(leaf))
        return certificate, key

    def user(self, name: str, password: str) -> None:
        """Make a user that logs in by SCRAM-SHA-512."""
        how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
        change = UserScramCredentialUpsertion(name, how, password.encode())
        admin = self._admin()
        for done in admin.alter_user_scram_credentials([change]).values():
            done.result(TIMEOUT_S)

    def grant(
        self,
        user: str,
        rights: Iterable[Right],
        pattern: ResourcePatternType = ResourcePatternType.LITERAL,
    ) -> None:
        """Give a user rights, each a kind of thing, its name and what may be done with it."""
        acls = [
            AclBinding(
                *(kind, name, pattern, f"User:{user}", "*"),
                *(operation, AclPermissionType.ALLOW),
            )
            for kind, name, operation in rights
        ]
        admin = self._admin()
        for done in admin.create_acls(acls).values() if acls else ():
            done.result(TIMEOUT_S)

    def close(self) -> None:
        """End the broker, and remove the certificates."""
        super().close()
        self._temporary.cleanup()

    def admin(self) -> AdminClient:
        """Give a client that may do everything."""
        return self._admin()

    def _adapt(self, given: dict[str, str], folder: Path) -> dict[str, str]:
        protocols = {door: "SSL" if door is Door.MUTUAL else "SASL_SSL" for door in Door}
        addresses = [f"{door}://{self.address(door)}" for door in Door]
        mapping = [f"{door}:{protocol}" for door, protocol in protocols.items()]
        settings = {
            **given,
            "listeners": ",".join([given["listeners"], *addresses]),
            "listener.security.protocol.map": ",".join(
                [given["listener.security.protocol.map"], *mapping]
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "ssl.principal.mapping.rules": r"RULE:^CN=([^,]*).*$/$1/",
        }
        for door in Door:
            settings |= self._listener(door, folder)
        return settings

    def _listener(self, door: Door, folder: Path) -> Mapping[str, Any]:
        store = folder / f"{door}.pem"
        store.write_bytes(self._server_certificate(door))
        options = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.folder / "ca.pem"),
        }
        if door is Door.MUTUAL:
            options["ssl.client.auth"] = "required"
        else:
            options["sasl.enabled.mechanisms"] = "SCRAM-SHA-512,PLAIN"
            module = "org.apache.kafka.common.security"
            options["scram-sha-512.sasl.jaas.config"] = f"{module}.scram.ScramLoginModule required;"
            options["plain.sasl.jaas.config"] = (
                f'{module}.plain.PlainLoginModule required user_{PLAIN[0]}="{PLAIN[1]}";'
            )
        return {f"listener.name.{door.lower()}.{key}": value for key, value in options.items()}

    def _server_certificate(self, door: Door) -> bytes:
        name = "elsewhere.example.org" if door is Door.MISNAMED else HOST
        yesterday = datetime.now(UTC) - timedelta(days=1)
        until = yesterday if door is Door.EXPIRED else None
        leaf = self._ca.issue_cert(name, not_after=until)
        return _pkcs8(leaf) + b"".join(blob.bytes() for blob in leaf.cert_chain_pems)


def _answers(first: Consumer) -> bool:
    """Tell whether the topic of offsets, which the first group brings about, is there."""
    try:
        found = first.committed([TopicPartition("none", 0)], timeout=1.0)
    except KafkaException:
        return False
    return found[0].error is None


def _pkcs8(leaf: trustme.LeafCert) -> bytes:
    """Give the key in the one form that a broker reads."""
    key = load_pem_private_key(leaf.private_key_pem.bytes(), password=None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
