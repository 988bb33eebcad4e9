"""Write the dashboards to `deploy/grafana/dashboards`, one JSON file each."""

from tests.deploy.dashboards.written import DIRECTORY, dashboards

if __name__ == "__main__":
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for name, text in dashboards().items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")
