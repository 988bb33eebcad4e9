"""The Grafana dashboards of streamfit, as code: `python -m tests.deploy.dashboards` writes them."""
