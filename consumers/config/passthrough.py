"""Options passed through to librdkafka: which are refused and why, which are secret."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr
from pydantic_core import PydanticCustomError

from consumers.errors import SettingsError

REFUSED = {
    "bootstrap.servers": "set kafka.bootstrap_servers instead",
    "metadata.broker.list": "set kafka.bootstrap_servers instead",
    "group.id": "set input.group instead",
    "group.instance.id": "set input.instance instead",
    "auto.offset.reset": "set input.start instead; a lost offset must never be papered over",
    "enable.auto.commit": "offsets are committed with the checkpoint, and only there",
    "enable.auto.offset.store": "offsets are committed with the checkpoint, and only there",
    "auto.commit.interval.ms": "offsets are committed with the checkpoint, and only there",
    "isolation.level": "aborted records must never be learned",
    "enable.idempotence": "predictions must be written once and in order",
    "acks": "a prediction counts as written only when all in-sync replicas have it",
    "transactional.id": "set output.delivery instead",
    "partition.assignment.strategy": "partitions are handed over one by one, which only "
    "cooperative-sticky does",
    "transaction.timeout.ms": "it follows from checkpoint.every",
    "delivery.report.only.error": "every failed delivery must be seen before the commit",
    "enable.partition.eof": "the lag behind transactions is told by it",
    "allow.auto.create.topics": "a mistyped topic must not come into being",
}
SECRET = (
    *("password", "passphrase", "secret", "token", "key.pem"),
    *("sasl.oauthbearer.config", "sasl.jaas.config"),
)


class FromFile(BaseModel):
    """A value that is read from a file when the client is made, such as a mounted secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path


Value = bool | int | float | SecretStr | FromFile


def _refuse(options: dict[str, Value]) -> dict[str, Value]:
    for key in options:
        if key in REFUSED:
            raise PydanticCustomError(
                "librdkafka_refused",
                "{key} is refused: {reason}",
                {"key": key, "reason": REFUSED[key]},
            )
    # A password of digits alone is a number in TOML, and would be shown.
    return {key: _veiled(value) if is_secret(key) else value for key, value in options.items()}


def _veiled(value: Value) -> Value:
    return value if isinstance(value, SecretStr | FromFile) else SecretStr(str(value))


Options = Annotated[dict[str, Value], AfterValidator(_refuse)]


def is_secret(key: str) -> bool:
    """Tell whether the value of an option, or a text that holds options, must never be shown."""
    return any(word in key.lower() for word in SECRET)


def plain(options: dict[str, Value]) -> dict[str, str | int | float | bool]:
    """Give the options as librdkafka takes them, with files read.

    Raises
    ------
    OSError
        If a file cannot be read.
    SettingsError
        If a file is not UTF-8.
    """
    return {key: _plain(key, value) for key, value in options.items()}


def _plain(key: str, value: Value) -> str | int | float | bool:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, FromFile):
        text = _text_of(value.file)
        if text is None:
            raise SettingsError(
                f"kafka.librdkafka.{key}: {value.file}: is not UTF-8; write it as text (what "
                "librdkafka reads in another form has a key of its own that ends in .location)"
            )
        return text.rstrip("\n")
    return value


def _text_of(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:  # not to be raised from: it holds the secret
        return None
