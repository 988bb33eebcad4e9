"""`python -m tests.deploy.prometheus_rule`: the rules as a resource of the Prometheus operator.

Kustomize can put a file into a ConfigMap, and not into a resource; so this is written down.
"""

from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yaml"
RESOURCE = DEPLOY / "k8s" / "monitoring" / "prometheus-rule.yaml"
HEAD = """\
# Made by `python -m tests.deploy.prometheus_rule`; change deploy/prometheus/rules.yaml instead.
"""


def resource() -> str:
    """Give the text of the resource."""
    content = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "streamfit", "labels": {"app.kubernetes.io/name": "streamfit"}},
        "spec": yaml.safe_load(RULES.read_text(encoding="utf-8")),
    }
    return HEAD + yaml.safe_dump(content, sort_keys=False, width=100, allow_unicode=True)


if __name__ == "__main__":
    RESOURCE.write_text(resource(), encoding="utf-8")
