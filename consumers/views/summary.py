"""The end of a run: its figures as one JSON object, or as a table with a verdict in words."""

from collections.abc import Sequence

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from consumers.views.history import History
from metrics.facts import Baseline, ScoreFacts, View

_DIGITS = 6


class Summary(msgspec.Struct, frozen=True):
    """What a run came to; `msgspec.json.encode` makes it one JSON object with these keys.

    Attributes
    ----------
    events : int
        Valid events, each predicted.
    accuracy, kappa, kappa_t : float or None
        Of the model, over all scored events; None where not defined.
    baseline_no_change, baseline_majority : float or None
        Accuracy of the baselines on the same events.
    dead_letters : int
        Of all stages.
    seconds, events_per_s : float
        How long it took, and `events` divided by that.
    """

    events: int
    accuracy: float | None
    kappa: float | None
    kappa_t: float | None
    baseline_no_change: float | None
    baseline_majority: float | None
    dead_letters: int
    seconds: float
    events_per_s: float


def summarise(history: History, seconds: float) -> Summary:
    """Sum up a run that took `seconds`."""
    moment = history.moment()
    facts = moment.scores or ScoreFacts(0, 0, {}, {})
    scores = facts.scores.get(View.CUMULATIVE, {})
    # Baselines of numbers are mean absolute errors, which are no accuracies.
    baselines = facts.baselines.get(View.CUMULATIVE, {}) if "accuracy" in scores else {}
    return Summary(
        events=moment.predicted,
        accuracy=_rounded(scores.get("accuracy")),
        kappa=_rounded(scores.get("kappa")),
        kappa_t=_rounded(scores.get("kappa_t")),
        baseline_no_change=_rounded(baselines.get(Baseline.NO_CHANGE)),
        baseline_majority=_rounded(baselines.get(Baseline.MAJORITY)),
        dead_letters=sum(moment.dead_letters.values()),
        seconds=round(seconds, _DIGITS),
        events_per_s=round(moment.predicted / seconds, _DIGITS) if seconds > 0 else 0.0,
    )


def summary_table(
    summary: Summary, commands: Sequence[tuple[str, str]] = (), drifts: int | None = None
) -> RenderableType:
    """Show a summary, what it means, and what to try next.

    Parameters
    ----------
    summary : Summary
    commands : sequence of (str, str)
        Commands, each with what it does.
    drifts : int or None
        Changes of the stream that were found; None where nobody looked for them.

    Returns
    -------
    RenderableType
        For a rich console.
    """
    head = Text(f"{summary.events:,} events in {summary.seconds:.1f} s", style="bold")
    head.append(f", {summary.events_per_s:,.0f} events/s", "not bold")
    parts: list[RenderableType] = [Text(), head, Text(), _scores(summary, drifts), Text()]
    parts.append(Text(verdict(summary)))
    if commands:
        parts += [Text(), Text("Try next", style="bold")]
    for command, purpose in commands:
        # Folded and not wrapped: a command is copied, and must not lose or gain a blank.
        parts.append(Padding(Text(command, style="green", overflow="fold"), (0, 0, 0, 2)))
        parts.append(Padding(Text(purpose), (0, 0, 0, 6)))
    return Padding(Group(*parts), (0, 1))


def verdict(summary: Summary) -> str:
    """Say in plain words how the model stands beside the baselines.

    The sign of kappa-T decides: it is `(p - p0) / (1 - p0)`, p being the model's accuracy and p0
    that of no-change (Zliobaite, Bifet, Read, Pfahringer, Holmes, 2015. Evaluation methods and
    decision theory for classification of streaming data with temporal dependence. Machine
    Learning 98, 455-482).
    """
    accuracy, no_change, kappa_t = summary.accuracy, summary.baseline_no_change, summary.kappa_t
    if accuracy is None or no_change is None:
        return "No label came, so nothing could be scored."
    if kappa_t is None:
        return "The label never changed, so kappa-T is not defined: there was nothing to learn."
    sign, compared = "0", "as well as"
    if kappa_t != 0:
        sign, compared = ("below 0", "worse than") if kappa_t < 0 else ("above 0", "better than")
    return (
        f"Repeating the last label (no-change) is right for {no_change:.2%} of the events, the "
        f"model for {accuracy:.2%}. So kappa-T is {sign}: the model does {compared} repeating the "
        f"last label. {_beside_majority(accuracy, summary.baseline_majority)}"
    ).rstrip()


def _beside_majority(accuracy: float, majority: float | None) -> str:
    if majority is None:
        return ""
    beats = "beats" if accuracy > majority else "does not beat"
    return f"It {beats} naming the most frequent class each time ({majority:.2%})."


def _scores(summary: Summary, drifts: int | None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column("")
    for name in ("model", "no-change", "majority"):
        table.add_column(name, justify="right", no_wrap=True)
    baselines = (summary.baseline_no_change, summary.baseline_majority)
    table.add_row("accuracy", _shown(summary.accuracy), *map(_shown, baselines))
    table.add_row("kappa", _shown(summary.kappa))
    table.add_row("kappa-T", _shown(summary.kappa_t))
    table.add_row("dead letters", f"{summary.dead_letters:,}")
    if drifts is not None:
        table.add_row("drifts found", f"{drifts:,}")
    return table


def _shown(score: float | None) -> str:
    return "-" if score is None else f"{score:.4f}"


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, _DIGITS)
