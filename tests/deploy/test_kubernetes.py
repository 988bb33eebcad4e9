"""The Kubernetes manifests: they build, fulfil the schemas, and fit the program."""

import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # ships no types
import pytest
import yaml
from jsonschema import Draft202012Validator

from consumers.connecting import CLOSE_TIMEOUT_S
from consumers.loop.epochs import FLUSH_TIMEOUT_S
from consumers.settings import Settings, from_tables
from consumers.wiring import learner_of
from tests.absence import command
from tests.deploy.prometheus_rule import RESOURCE, resource
from tests.deploy.schemas import crd_schema, has_crd

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
K8S = DEPLOY / "k8s"
GLOBAL, PARTITION, MONITORING = "overlays/global-standby", "overlays/partition-keda", "monitoring"
OVERLAYS = (GLOBAL, PARTITION)
KUBERNETES = "1.32"
Object = dict[str, Any]


@cache
def objects(folder: str) -> tuple[Object, ...]:
    """Build a kustomization as `kubectl apply -k` does."""
    kubectl = command("kubectl", "install kubernetes-client or kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", str(K8S / folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # kustomize warns of fields that are going away
    return tuple(yaml.safe_load_all(done.stdout))


def one(folder: str, kind: str) -> Object:
    """Give the only object of a kind."""
    (found,) = [each for each in objects(folder) if each["kind"] == kind]
    return found


def pod(folder: str) -> Object:
    """Give the specification of the pods."""
    found: Object = one(folder, "Deployment")["spec"]["template"]["spec"]
    return found


def container(folder: str) -> Object:
    """Give the only container."""
    (found,) = pod(folder)["containers"]
    return dict(found)


def settings(folder: str) -> Settings:
    """Load the settings that the pods are given."""
    return from_tables(tomllib.loads(one(folder, "ConfigMap")["data"]["streamfit.toml"]))


@pytest.mark.parametrize("folder", [*OVERLAYS, MONITORING])
def test_every_object_fulfils_its_schema(folder: str) -> None:
    for each in objects(folder):
        if has_crd(each["kind"]):
            schema = crd_schema(each["kind"], each["apiVersion"])
            problems = [
                f"{each['kind']} {error.json_path}: {error.message}"
                for error in Draft202012Validator(schema).iter_errors(each)
            ]
            assert problems == []
        else:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_the_schemas_refuse_what_is_wrong() -> None:
    deployment = json.loads(json.dumps(one(GLOBAL, "Deployment")))
    deployment["spec"]["template"]["spec"]["terminationGrace"] = 60
    monitor = {**one(GLOBAL, "ServiceMonitor"), "spec": {"selector": {}, "endpoint": []}}
    schema = crd_schema("ServiceMonitor", "monitoring.coreos.com/v1")

    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGrace"):
        kubernetes_validate.validate(deployment, KUBERNETES, strict=True)
    assert not Draft202012Validator(schema).is_valid(monitor)


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_settings_load_and_the_model_can_be_built(folder: str) -> None:
    found = settings(folder)

    assert found.learning.scope == ("global" if folder == GLOBAL else "partition")
    assert found.input.instance is None  # such a member stays in the group after its end
    assert found.checkpoint.store.startswith("s3://")
    assert learner_of(found).path == "compiled"


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_pods_read_those_settings_and_a_change_rolls_them(folder: str) -> None:
    name = one(folder, "ConfigMap")["metadata"]["name"]
    volumes = {each["name"]: each for each in pod(folder)["volumes"]}
    mounts = {each["mountPath"]: each for each in container(folder)["volumeMounts"]}

    assert re.fullmatch(r"streamfit-settings-[a-z0-9]{10}", name)
    assert volumes["settings"]["configMap"]["name"] == name
    assert mounts["/etc/streamfit"]["name"] == "settings"
    assert container(folder)["args"] == ["run", "/etc/streamfit/streamfit.toml"]


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_ports_are_those_of_the_settings(folder: str) -> None:
    found = settings(folder)

    assert found.metrics.host == "0.0.0.0"  # noqa: S104 - in the pod
    assert container(folder)["ports"] == [{"name": "metrics", "containerPort": found.metrics.port}]
    (port,) = one(folder, "Service")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (found.metrics.port, "metrics")
    (endpoint,) = one(folder, "ServiceMonitor")["spec"]["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == (port["name"], "/metrics")


@pytest.mark.parametrize("folder", OVERLAYS)
def test_each_probe_asks_its_own_page(folder: str) -> None:
    probes = {
        name: container(folder)[name]["httpGet"]
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }

    assert probes == {
        "startupProbe": {"path": "/startupz", "port": "metrics"},
        "livenessProbe": {"path": "/livez", "port": "metrics"},
        "readinessProbe": {"path": "/readyz", "port": "metrics"},
    }


@pytest.mark.parametrize("folder", OVERLAYS)
def test_a_pod_is_given_no_rights(folder: str) -> None:
    spec, inside = pod(folder), container(folder)["securityContext"]

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] >= 10_000
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inside["readOnlyRootFilesystem"] is True
    assert inside["allowPrivilegeEscalation"] is False
    assert inside["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_user_is_that_of_the_image(folder: str) -> None:
    user = re.search(r"^USER (\d+):(\d+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)

    assert user is not None
    context = pod(folder)["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (int(user[1]), int(user[2]))


@pytest.mark.parametrize("folder", OVERLAYS)
def test_services_of_the_namespace_do_not_become_settings(folder: str) -> None:
    # A service called streamfit gives STREAMFIT_SERVICE_HOST, which would be refused at the start.
    assert pod(folder)["enableServiceLinks"] is False


@pytest.mark.parametrize("folder", OVERLAYS)
def test_resources_are_bounded_and_fit_the_limit_on_memory(folder: str) -> None:
    resources = container(folder)["resources"]

    assert {*resources["requests"]} == {*resources["limits"]} == {"cpu", "memory"}
    assert resources["limits"]["memory"] == "1Gi"
    # Room for the model, three times.
    assert settings(folder).limits.max_memory + 500_000_000 <= 2**30


@pytest.mark.parametrize("folder", OVERLAYS)
def test_there_is_one_thread_for_linear_algebra(folder: str) -> None:
    env = {each["name"]: each["value"] for each in container(folder)["env"]}

    assert (env["OMP_NUM_THREADS"], env["OPENBLAS_NUM_THREADS"]) == ("1", "1")


@pytest.mark.parametrize("folder", OVERLAYS)
def test_a_stop_is_given_the_time_that_it_may_take(folder: str) -> None:
    # Going back to the last commit may be tried for as long as a flush, then comes the flush.
    assert pod(folder)["terminationGracePeriodSeconds"] > 2 * FLUSH_TIMEOUT_S + CLOSE_TIMEOUT_S


@pytest.mark.parametrize("folder", OVERLAYS)
def test_selectors_find_the_pods_of_this_application_alone(folder: str) -> None:
    labels = one(folder, "Deployment")["spec"]["template"]["metadata"]["labels"]
    (spread,) = pod(folder)["topologySpreadConstraints"]
    selectors = [
        one(folder, "Service")["spec"]["selector"],
        one(folder, "Deployment")["spec"]["selector"]["matchLabels"],
        one(folder, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(folder, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
    ]

    assert all(selector == labels for selector in selectors)
    monitor = one(folder, "ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"] == one(folder, "Service")["metadata"]["labels"]


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_same_application_in_two_namespaces_is_two_jobs(folder: str) -> None:
    (endpoint,) = one(folder, "ServiceMonitor")["spec"]["endpoints"]
    (relabeling,) = [each for each in endpoint["relabelings"] if each["targetLabel"] == "job"]
    namespace, label = relabeling["sourceLabels"]
    labels = {re.sub(r"\W", "_", name) for name in one(folder, "Service")["metadata"]["labels"]}

    assert namespace == "__meta_kubernetes_namespace"
    assert label.removeprefix("__meta_kubernetes_service_label_") in labels


@pytest.mark.parametrize("folder", OVERLAYS)
def test_only_prometheus_reaches_the_metrics_from_other_namespaces(folder: str) -> None:
    (rule,) = one(folder, "NetworkPolicy")["spec"]["ingress"]

    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    ]


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_model_can_be_rolled_back_to_where_it_was_before_an_alert_fired(folder: str) -> None:
    checkpoint = settings(folder).checkpoint

    assert checkpoint.keep * checkpoint.every.total_seconds() >= 3600


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_pod_of_the_readme_that_rolls_back_has_all_that_a_pod_has_but_its_probes(
    folder: str,
) -> None:
    program = re.search(r"\| jq '(.+?)' \|", (K8S / "README.md").read_text(), re.DOTALL)
    assert program is not None
    done = subprocess.run(
        [command("jq", "install jq"), program[1]],
        input=json.dumps(one(folder, "Deployment")),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    made = json.loads(done.stdout)
    (inside,) = made["spec"]["containers"]

    kubernetes_validate.validate(made, KUBERNETES, strict=True)
    assert made["spec"]["volumes"] == pod(folder)["volumes"]
    assert (inside["command"], inside["args"]) == (["sleep"], ["3600"])
    left_out = {"startupProbe", "livenessProbe", "readinessProbe", "ports"}
    kept = {key for key in container(folder) if key not in left_out | {"args"}}
    assert {key: inside[key] for key in kept} == {key: container(folder)[key] for key in kept}
    assert not left_out & {*inside}


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_image_has_an_exact_version(folder: str) -> None:
    assert re.fullmatch(r"\S+:\d+\.\d+\.\d+", container(folder)["image"])


def test_a_global_model_has_a_standby_that_is_not_driven_out_with_it() -> None:
    (spread,) = pod(GLOBAL)["topologySpreadConstraints"]

    assert one(GLOBAL, "Deployment")["spec"]["replicas"] == 2
    assert one(GLOBAL, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert spread["topologyKey"] == "kubernetes.io/hostname"


def test_keda_scales_the_deployment_on_the_lag_of_its_own_group() -> None:
    scaled, found = one(PARTITION, "ScaledObject")["spec"], settings(PARTITION)
    (trigger,) = scaled["triggers"]

    assert scaled["scaleTargetRef"]["name"] == one(PARTITION, "Deployment")["metadata"]["name"]
    assert "replicas" not in one(PARTITION, "Deployment")["spec"]
    assert scaled["minReplicaCount"] >= 1
    assert trigger["type"] == "kafka"
    assert trigger["metadata"]["topic"] == found.input.topic
    assert trigger["metadata"]["consumerGroup"] == found.input.group
    assert trigger["metadata"]["bootstrapServers"] == found.kafka.bootstrap_servers


def test_the_rules_are_those_that_prometheus_is_given_elsewhere() -> None:
    assert RESOURCE.read_text() == resource(), "run python -m tests.deploy.prometheus_rule"


def test_the_dashboards_are_those_of_grafana() -> None:
    maps = [each for each in objects(MONITORING) if each["kind"] == "ConfigMap"]
    carried = {name: text for each in maps for name, text in each["data"].items()}
    files = (DEPLOY / "grafana" / "dashboards").glob("*.json")

    assert carried == {file.name: file.read_text() for file in files}
    assert all(each["metadata"]["labels"]["grafana_dashboard"] == "1" for each in maps)
    # What `kubectl apply` remembers of an object in an annotation has a limit.
    assert all(len(json.dumps(each)) < 262_144 for each in maps)
