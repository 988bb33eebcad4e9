"""The schemas that the files of `deploy/` are held against, each from the project that makes it.

They are in Go modules, which `go` fetches once into `.cache/go` and checks against the public
checksum database. Those of Kubernetes itself come with `kubernetes-validate`.
"""

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.absence import command, lacks

HOME = Path(__file__).resolve().parents[2]
COMPOSE = ("github.com/compose-spec/compose-go/v2", "v2.16.2")
PROMETHEUS_OPERATOR = ("github.com/prometheus-operator/prometheus-operator", "v0.85.0")
KEDA = ("github.com/kedacore/keda/v2", "v2.21.0")
_CACHE = HOME / ".cache" / "go"
_CRDS = {
    "ServiceMonitor": (
        PROMETHEUS_OPERATOR,
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
    "PrometheusRule": (
        PROMETHEUS_OPERATOR,
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    "ScaledObject": (KEDA, "config/crd/bases/keda.sh_scaledobjects.yaml"),
}


def compose_schema() -> dict[str, Any]:
    """Give the JSON schema of the compose specification."""
    text = (_module(*COMPOSE) / "schema" / "compose-spec.json").read_text()
    schema: dict[str, Any] = json.loads(text)
    return schema


def has_crd(kind: str) -> bool:
    """Tell whether a kind is one that Kubernetes learns from an operator."""
    return kind in _CRDS


def crd_schema(kind: str, api_version: str) -> dict[str, Any]:
    """Give the schema of a custom resource, made strict: what it does not name is refused.

    Raises
    ------
    KeyError
        If the operator has no such version of it.
    """
    module, file = _CRDS[kind]
    crd = yaml.safe_load((_module(*module) / file).read_text())
    group = crd["spec"]["group"]
    schemas = {
        f"{group}/{version['name']}": version["schema"]["openAPIV3Schema"]
        for version in crd["spec"]["versions"]
    }
    strict: dict[str, Any] = _strict(schemas[api_version])
    # The API server checks metadata itself: the schema says only that it is an object.
    strict["properties"]["metadata"] = {"type": "object"}
    return strict


def _strict(schema: Any) -> Any:
    """Refuse unknown fields, as the API server does of `kubectl apply`."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    is_object = isinstance(schema.get("properties"), dict) and "type" in schema
    if is_object and not schema.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    return strict


@cache
def _module(name: str, version: str) -> Path:
    """Fetch a Go module, if it is not there, and give its folder."""
    go = command("go", "install Go")
    _CACHE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [go, "mod", "download", "-json", f"{name}@{version}"],
        # Its files may be deleted again like any other; its version of Go does not matter.
        env={
            **os.environ,
            "GOMODCACHE": str(_CACHE),
            "GOFLAGS": "-modcacherw",
            "GOTOOLCHAIN": "local",
        },
        cwd=_CACHE,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if done.returncode:
        lacks(f"{name}@{version} cannot be fetched: {done.stdout.strip()} {done.stderr.strip()}")
    return Path(json.loads(done.stdout)["Dir"])
