"""Traces of a run, sent while it lasts, where the settings ask for them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from consumers.checkpoints.checkpoint import versions
from consumers.errors import SettingsError
from consumers.loop.tracing import UNTRACED, Tracing
from consumers.settings import Settings
from metrics.observer import Observer


@dataclass(frozen=True, slots=True)
class Traces:
    """Who traces a run.

    Attributes
    ----------
    batches : Tracing
        Traces batches.
    observers : sequence of Observer
        Who else is told of the run.
    """

    batches: Tracing = UNTRACED
    observers: Sequence[Observer] = ()


@contextmanager
def tracing(settings: Settings) -> Iterator[Traces]:
    """Send spans while the block runs; off unless `tracing.endpoint` is set.

    Raises
    ------
    SettingsError
        If traces are asked for, and OpenTelemetry is not installed, or refuses what its own
        variables say.
    """
    url = settings.tracing.url
    if url is None:
        yield Traces()
        return
    with ExitStack() as stack:
        yield _begun(settings, url, stack)


def _begun(settings: Settings, url: str, stack: ExitStack) -> Traces:
    try:  # an extra, and half a second of imports
        from consumers.views.epoch_spans import EpochSpans  # noqa: PLC0415
        from consumers.views.span_export import sending  # noqa: PLC0415
        from consumers.views.spans import BatchSpans, Origin  # noqa: PLC0415

        tracer = stack.enter_context(sending(url, settings.tracing.ratio, _process(settings)))
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"tracing.endpoint: {error.name} is not installed; run pip install opentelemetry-sdk "
            "opentelemetry-exporter-otlp-proto-http, or leave tracing.endpoint out"
        ) from None
    except (ValueError, RuntimeError) as error:  # it reads variables of its own, some on import
        raise SettingsError(
            f"tracing.endpoint: OpenTelemetry does not begin: {str(error).rstrip('.')}; correct "
            "or remove the environment's variable OTEL_... that says so"
        ) from None
    origin = Origin(settings.input.topic, settings.input.group)
    batches = BatchSpans(tracer, origin, headers=settings.tracing.headers)
    return Traces(batches, [EpochSpans(tracer, origin)])


def _process(settings: Settings) -> dict[str, str]:
    told = {"service.name": "streamfit", "service.version": versions()["streamfit"]}
    instance = settings.input.instance
    return told if instance is None else {**told, "service.instance.id": instance}
