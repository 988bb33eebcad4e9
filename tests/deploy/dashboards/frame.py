"""What both dashboards have in common: variables, links, the grid, JSON. No panel is here."""

import json
from collections.abc import Iterable, Iterator
from copy import copy
from itertools import count
from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from metrics.names import Metric
from tests.deploy.dashboards.marks import Mark
from tests.deploy.dashboards.panels import DATA_SOURCE
from tests.deploy.dashboards.queries import process

TITLES = {"streamfit-model": "streamfit: model", "streamfit-consumer": "streamfit: consumer"}

_GRID = 24


class Row(NamedTuple):
    """Panels under one heading, laid out from left to right.

    Attributes
    ----------
    title : str
        The heading.
    panels : tuple of Panel
        Their width and height are set, their place is not.
    collapsed : bool
        Whether it has to be opened first.
    """

    title: str
    panels: tuple[model.Panel, ...]
    collapsed: bool = False


def dashboard(
    uid: str, description: str, rows: Iterable[Row], marks: Iterable[Mark], unused: str
) -> str:
    """Give a dashboard as JSON, the same for the same arguments.

    Parameters
    ----------
    uid : str
        Stable name in Grafana's addresses, a key of `TITLES`.
    description : str
        What the whole is for.
    rows : iterable of Row
        From top to bottom.
    marks : iterable of Mark
        What is marked in all charts.
    unused : str
        The variable that changes nothing here: hidden, and handed on to the other dashboard.
    """
    frame = (
        build.Dashboard(TITLES[uid])
        .uid(uid)
        .description(description)
        .tags(["streamfit"])
        .readonly()
        .time("now-1h", "now")
        .refresh("10s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables(list(_variables(unused)))
        .links([_link(other) for other in TITLES if other != uid])
        .build()
    )
    frame.annotations = model.AnnotationContainer([_Annotation(mark) for mark in marks])
    frame.panels = list(_laid_out(rows))
    return json.dumps(frame, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


class _Annotation(model.AnnotationQuery):
    """An annotation of the Prometheus data source, with the fields that the model leaves out."""

    def __init__(self, mark: Mark) -> None:
        super().__init__(
            name=mark.name,
            datasource=DATA_SOURCE,
            enable=True,
            icon_color=mark.color,
            expr=mark.expression,
        )
        self._mark = mark

    def to_json(self) -> dict[str, object]:
        """Give what Grafana reads: a finer step than its default of a minute, and the words."""
        words = {"titleFormat": self._mark.title, "textFormat": self._mark.text}
        return {**super().to_json(), "step": "15s", **words}


def _variables(unused: str) -> Iterator[build.DatasourceVariable | build.QueryVariable]:
    yield build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    yield _asked(
        "application",
        "Application",
        f"label_values({Metric.BUILD_INFO.sample_name}, job)",
        "The label job: all instances that one scrape job finds.",
    )
    topic = _asked(
        "topic",
        "Topic",
        f"label_values({process(Metric.CONSUMER_LAG_RECORDS.sample_name)}, topic)",
        "The topic that is read. Only lag and committed offsets are by topic; an instance reads "
        "one topic, so the application decides for the rest.",
    ).all_value(".+")
    # Where one model learns all partitions, its series have no partition: All matches that too.
    model_shown = _asked(
        "model",
        "Model",
        f"label_values({process(Metric.MODEL_VERSION.sample_name)}, partition)",
        "The partition whose model is shown, where each has its own; else there is only All.",
    ).all_value(".*")
    for name, variable in (("topic", topic), ("model", model_shown)):
        yield variable.hide(model.VariableHide.HIDE_VARIABLE) if name == unused else variable


def _asked(name: str, label: str, query: str, description: str) -> build.QueryVariable:
    everything = model.VariableOption(selected=True, text=["All"], value=["$__all"])
    return (
        build.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATA_SOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.NATURAL_ASC)
        .multi(True)
        .include_all(True)
        .current(everything)
    )


def _link(uid: str) -> build.DashboardLink:
    return (
        build.DashboardLink(TITLES[uid])
        .type(model.DashboardLinkType.LINK)
        .url(f"/d/{uid}")
        .icon("dashboard")
        .tooltip("The same application and time range there")
        .include_vars(True)
        .keep_time(True)
    )


def _laid_out(rows: Iterable[Row]) -> Iterator[model.Panel | model.RowPanel]:
    """Give all panels a number and a place; those of a collapsed row stay inside it."""
    numbers, top = count(1), 0
    for row in rows:
        heading = model.RowPanel(
            row.collapsed,
            row.title,
            grid_pos=model.GridPos(x=0, y=top, w=_GRID, h=1),
            id_val=next(numbers),
        )
        panels, bottom = _placed(row.panels, top + 1)
        for panel in panels:
            panel.id_val = next(numbers)
        yield heading
        if row.collapsed:
            heading.panels = panels
        else:
            yield from panels
        top = top + 1 if row.collapsed else bottom


def _placed(panels: Iterable[model.Panel], top: int) -> tuple[list[model.Panel], int]:
    """Give copies placed in lines from left to right, and where the next row begins."""
    x, y, bottom = 0, top, top
    placed = [copy(panel) for panel in panels]
    for panel in placed:
        size = panel.grid_pos or model.GridPos()
        if x + size.w > _GRID:
            x, y = 0, bottom
        panel.grid_pos = model.GridPos(x=x, y=y, w=size.w, h=size.h)
        x, bottom = x + size.w, max(bottom, y + size.h)
    return placed, bottom
