"""Which dashboards there are, and where Grafana finds them. What they show is not here."""

from pathlib import Path

from tests.deploy.dashboards.consumer import consumer
from tests.deploy.dashboards.model import model

DIRECTORY = Path(__file__).parents[3] / "deploy" / "grafana" / "dashboards"


def dashboards() -> dict[str, str]:
    """Give the text of each dashboard by the name of its file."""
    return {"model.json": model(), "consumer.json": consumer()}
