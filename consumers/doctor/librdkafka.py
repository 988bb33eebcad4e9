"""Options handed on to librdkafka that do harm, whatever the rest of the settings says."""

from collections.abc import Iterator, Mapping

from consumers.doctor.finding import SETTINGS, Finding, Kind, Level
from consumers.errors import SettingsError
from consumers.settings import Settings

SLOW = Kind(
    "settings.slow_client",
    Level.WARNING,
    "the client then waits where it could work: throughput or latency suffers",
    "leave that option of [kafka.librdkafka] out",
    SETTINGS,
)
MEMORY = Kind(
    "settings.client_memory",
    Level.WARNING,
    "the client's queues grow beyond the share that limits.max_memory gives them",
    "leave that option of [kafka.librdkafka] out, and set limits.max_memory",
    SETTINGS,
)
LOSES = Kind(
    "settings.short_delivery",
    Level.WARNING,
    "predictions that are not acknowledged in that time have failed, and their epoch is done again",
    "leave that option of [kafka.librdkafka] out, or set it to 30000 or more",
    SETTINGS,
)
UNVERIFIED = Kind(
    "settings.unverified_tls",
    Level.WARNING,
    "whoever is between can pass for the broker, read everything and take the password",
    "leave that option of [kafka.librdkafka] out, and set ssl.ca.location",
    SETTINGS,
)
CLEAR = Kind(
    "settings.clear_password",
    Level.WARNING,
    "whoever is between reads the password, or everything that is sent",
    "set security.protocol = 'SASL_SSL' in [kafka.librdkafka]",
    SETTINGS,
)
UNUSED_LOGIN = Kind(
    "settings.unused_login",
    Level.PROBLEM,
    "without a security.protocol of SASL the login is never sent: brokers that want one hang up",
    "set security.protocol = 'SASL_SSL' in [kafka.librdkafka]",
    SETTINGS,
)
DEBUG = Kind(
    "settings.debug",
    Level.NOTE,
    "librdkafka's debug log tells of every request: it slows a busy run, and fills the log",
    "leave kafka.librdkafka.debug out",
    SETTINGS,
)

# Above these the client stands still longer than it gains.
_SLOW_ABOVE = {
    "fetch.queue.backoff.ms": 100.0,
    "fetch.wait.max.ms": 1000.0,
    "fetch.error.backoff.ms": 5000.0,
    "linger.ms": 200.0,
    "queue.buffering.max.ms": 200.0,
    "retry.backoff.ms": 1000.0,
}
_QUEUES = (
    *("queued.max.messages.kbytes", "queued.min.messages", "fetch.max.bytes"),
    *("queue.buffering.max.kbytes", "queue.buffering.max.messages"),
)
_DELIVERY = ("message.timeout.ms", "delivery.timeout.ms")
_SHORTEST_DELIVERY_MS = 10_000


def options_of(settings: Settings) -> dict[str, str | int | float | bool]:
    """Give the options as librdkafka gets them, secrets among them: not to be told.

    Empty where the file of a secret cannot be read or is no text, which whoever connects tells.
    """
    try:
        return settings.kafka.client_config()
    except (OSError, SettingsError):
        return {}


def number_of(options: Mapping[str, object], key: str, default: float) -> float:
    """Give an option as a number; the default where it is none."""
    value = options.get(key, default)
    return float(str(value)) if _is_number(value) else default


def judge(settings: Settings) -> Iterator[Finding]:
    """Look at the options that are handed on; values of secrets are never told."""
    options = options_of(settings)
    numbers = {key: float(value) for key, value in options.items() if _is_number(value)}
    for key, most in _SLOW_ABOVE.items():
        if numbers.get(key, 0) > most:
            yield SLOW.found(f"{key} = {options[key]}, above {most:g}")
    for key in filter(options.__contains__, _QUEUES):
        yield MEMORY.found(f"{key} = {options[key]} overrides what limits.max_memory gives")
    for key in _DELIVERY:
        if 0 < numbers.get(key, 0) < _SHORTEST_DELIVERY_MS:
            yield LOSES.found(f"{key} = {options[key]}")
    if options.get("debug"):
        yield DEBUG.found(f"debug = {options['debug']}")
    yield from _security({key: str(value).lower() for key, value in options.items()})


def _security(options: dict[str, str]) -> Iterator[Finding]:
    protocol = options.get("security.protocol", "plaintext")
    login = [key for key in ("sasl.username", "sasl.password") if key in options]
    if login and not protocol.startswith("sasl"):
        yield UNUSED_LOGIN.found(f"{login[0]} is set, security.protocol is {protocol}")
    elif protocol == "sasl_plaintext":
        mechanism = options.get("sasl.mechanisms", options.get("sasl.mechanism", "gssapi"))
        yield CLEAR.found(f"security.protocol = {protocol}, mechanism {mechanism}")
    for key, bad in (
        ("enable.ssl.certificate.verification", "false"),
        ("ssl.endpoint.identification.algorithm", "none"),
    ):
        if options.get(key) == bad:
            yield UNVERIFIED.found(f"{key} = {bad}")


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return not isinstance(value, bool)
