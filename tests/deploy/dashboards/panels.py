"""Kinds of panels: charts, figures, heat maps. Which ones the dashboards have is not here."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common as build
from grafana_foundation_sdk.builders import heatmap, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from tests.deploy.dashboards.queries import Query

DATA_SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
GOOD, WARNING, BAD, PLAIN = "green", "orange", "red", "blue"

_NOT_DEFINED = model.SpecialValueMap(
    model.DashboardSpecialValueMapOptions(
        match=model.SpecialValueMatch.NULL_AND_NAN,
        result=model.ValueMappingResult(text="not defined", color="text"),
    )
)


@dataclass(frozen=True)
class Words:
    """What a panel says of itself.

    Attributes
    ----------
    title, description : str
        Its name; what it means, and what is bad.
    unit : str
        One of Grafana's.
    """

    title: str
    description: str
    unit: str


@dataclass(frozen=True)
class Levels:
    """Where a value becomes noteworthy.

    Attributes
    ----------
    base : str
        Colour below all steps.
    steps : tuple of (float, str)
        From which value on which colour, in order.
    """

    base: str = GOOD
    steps: tuple[tuple[float, str], ...] = ()

    def thresholds(self) -> ThresholdsConfig:
        """Give them in Grafana's words."""
        steps = [model.Threshold(value=None, color=self.base)]
        steps += [model.Threshold(value=value, color=color) for value, color in self.steps]
        return ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def chart(
    words: Words,
    *queries: Query,
    width: int = 8,
    height: int = 8,
    levels: Levels | None = None,
    overrides: Mapping[str, Mapping[str, object]] | None = None,
    stacked: bool = False,
) -> model.Panel:
    """Give lines over time.

    Parameters
    ----------
    words : Words
        What it says of itself.
    *queries : Query
        What it draws. Where a value is not defined, the line has a gap.
    width, height : int
        In cells of the grid, which is 24 wide.
    levels : Levels, optional
        Areas to colour behind the lines.
    overrides : mapping, optional
        For series whose name matches a regular expression: property to value.
    stacked : bool
        Whether the series lie on top of each other.
    """
    panel = timeseries.Panel().line_width(1).span_nulls(False).legend(_legend()).tooltip(_tooltip())
    if stacked:
        panel = panel.stacking(build.StackingConfig().mode(common.StackingMode.NORMAL))
        panel = panel.fill_opacity(30)
    if levels is not None:
        area = build.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.AREA)
        panel = panel.thresholds(levels.thresholds()).thresholds_style(area)
    for pattern, properties in (overrides or {}).items():
        panel = panel.override_by_regexp(pattern, _values(properties))
    return _finish(panel.unit(words.unit).build(), words, queries, width, height)


def figure(words: Words, query: Query, *, levels: Levels | None = None) -> model.Panel:
    """Give the last value as a number, coloured by level."""
    panel = (
        stat.Panel()
        .unit(words.unit)
        .thresholds((levels or Levels(PLAIN)).thresholds())
        .color_scheme(FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .reduce_options(build.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.AREA)
        .mappings([_NOT_DEFINED])
        .no_value("no data")
    )
    return _finish(panel.build(), words, (query,), 4, 4)


def label(words: Words, query: Query) -> model.Panel:
    """Give the names of the series themselves, such as versions."""
    panel = (
        stat.Panel()
        .unit(words.unit)
        .thresholds(Levels(PLAIN).thresholds())
        .reduce_options(build.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .text_mode(common.BigValueTextMode.NAME)
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .no_value("no data")
    )
    return _finish(panel.build(), words, (query,), 4, 4)


def heat(words: Words, query: Query, *, width: int = 8, height: int = 8) -> model.Panel:
    """Give the buckets of a histogram over time, brighter where there are more."""
    panel = (
        heatmap.Panel()
        .calculate(False)
        .color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges"))
        .cell_values(heatmap.CellValues().unit(units.Short))
        .y_axis(heatmap.YAxisConfig().unit(words.unit))
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .unit(words.unit)
        .scale_distribution(build.ScaleDistributionConfig().type(common.ScaleDistribution.LINEAR))
        .show_legend()
    )
    finished = _finish(panel.build(), words, (query,), width, height)
    for target in finished.targets or ():
        target.format_val = PromQueryFormat.HEATMAP  # type: ignore[attr-defined]  # a Dataquery
    return finished


def timeline(
    words: Words, query: Query, states: Mapping[str, tuple[str, str]], *, width: int = 8
) -> model.Panel:
    """Give what each series is over time.

    Parameters
    ----------
    words : Words
        What it says of itself.
    query : Query
        Series whose values are numbers of states.
    states : mapping of str to (str, str)
        Number to the state's name and colour.
    width : int
        In cells of the grid.
    """
    mapped = {
        number: model.ValueMappingResult(text=name, color=color)
        for number, (name, color) in states.items()
    }
    panel = (
        statetimeline.Panel()
        .unit(words.unit)
        .mappings([model.ValueMap(mapped)])
        .merge_values(True)
        .show_value(common.VisibilityMode.AUTO)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(70)
        .legend(_legend())
    )
    return _finish(panel.build(), words, (query,), width, 8)


def _values(properties: Mapping[str, object]) -> list[model.DynamicConfigValue]:
    return [model.DynamicConfigValue(key, value) for key, value in properties.items()]


def _legend() -> build.VizLegendOptions:
    return (
        build.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .calcs([])
    )


def _tooltip() -> build.VizTooltipOptions:
    return (
        build.VizTooltipOptions()
        .mode(common.TooltipDisplayMode.MULTI)
        .sort(common.SortOrder.DESCENDING)
    )


def _finish(
    panel: model.Panel, words: Words, queries: tuple[Query, ...], width: int, height: int
) -> model.Panel:
    panel.title, panel.description = words.title, words.description
    panel.datasource = DATA_SOURCE
    panel.grid_pos = model.GridPos(w=width, h=height)
    panel.targets = [
        Dataquery()
        .datasource(DATA_SOURCE)
        .expr(query.expression)
        .legend_format(query.legend)
        .range()
        .ref_id(name)
        .build()
        for name, query in zip(ascii_uppercase, queries, strict=False)
    ]
    return panel
