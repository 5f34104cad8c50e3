"""Kubernetes manifests: valid by its schemas, restricted, and naming what exists."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from model_store.cli.main import main as model_store
from stream_app.cli.main import cli as restock
from stream_app.server_settings import variable
from stream_app.settings import Settings
from tests.deploy.test_compose import DOCKERFILES, SERVICES
from tests.docs.test_how_to import parsed
from tests.e2e.cluster import Cluster, cluster, eventually
from tests.e2e.shop import PARTITIONS

K8S = Path(__file__).parents[2] / "deploy" / "k8s"
VERSION = "1.37"
BASE = sorted((K8S / "base").glob("*.yaml"))
FOREIGN = ("Kustomization", "ScaledObject")
"""Kinds that the schemas of Kubernetes do not know."""


def documents(*files: Path) -> Iterator[dict[str, Any]]:
    for file in files:
        yield from yaml.safe_load_all(file.read_text())


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for one in documents(*BASE):
        spec = one.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield one["metadata"]["name"], spec["template"]


ALL = [one for one in documents(*sorted(K8S.rglob("*.yaml"))) if one["kind"] not in FOREIGN]
PODS = dict(pods())


@pytest.mark.parametrize("document", ALL, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_a_manifest_is_valid_by_the_schemas_of_kubernetes(document: dict[str, Any]) -> None:
    if document in list(documents(*BASE)):
        kubernetes_validate.validate(document, VERSION, strict=True)
    else:
        assert identity(document) in {identity(one) for one in documents(*BASE)}, "a patch needs what it mends"


def identity(document: dict[str, Any]) -> tuple[str, str]:
    return document["kind"], document.get("metadata", {}).get("name", "")


@pytest.mark.parametrize("file", sorted(K8S.rglob("kustomization.yaml")), ids=lambda file: file.parent.name)
def test_every_file_is_in_its_kustomization_and_there(file: Path) -> None:
    (told,) = documents(file)
    named = {*told["resources"], *(patch["path"] for patch in told.get("patches", ()))}
    assert all((file.parent / name).exists() for name in named)
    assert {one.name for one in file.parent.glob("*.yaml")} - {file.name} == {one for one in named if ".yaml" in one}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_restricted_and_bounded(name: str) -> None:
    pod = PODS[name]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        own = container["securityContext"]
        assert own["readOnlyRootFilesystem"] and own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"] and "requests" in container["resources"]


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_an_image_of_ours_with_a_command_that_exists(name: str) -> None:
    (container,) = PODS[name]["spec"]["containers"]
    assert container["image"] in {service["image"] for service in SERVICES.values() if "build" in service}
    program, *arguments = container["command"]
    parsed({"restock": restock, "model-store": model_store}[program], program, arguments)


def test_variables_are_settings() -> None:
    text = "".join(path.read_text() for path in K8S.rglob("*.yaml"))
    named = set(re.findall(r"\bRESTOCK_\w+", text))
    assert named >= {"RESTOCK_KAFKA", "RESTOCK_GROUP_INSTANCE", "RESTOCK_REDIS_CA_FILE"}
    assert named <= {variable(name) for name in Settings.model_fields}


def test_ports_are_those_of_the_settings_and_of_the_image() -> None:
    (settings,) = documents(K8S / "base" / "settings.yaml")
    (policy,) = documents(K8S / "base" / "network.yaml")
    allowed = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    told = settings["data"]
    assert {int(re.findall(r":(\d+)", told[name])[0]) for name in ("RESTOCK_KAFKA", "RESTOCK_REDIS_URL")} <= allowed
    (worker,) = PODS["restock-worker"]["spec"]["containers"]
    metrics = next(one["value"] for one in worker["env"] if one["name"] == "RESTOCK_METRICS_PORT")
    assert f"127.0.0.1:{metrics}/live" in worker["livenessProbe"]["exec"]["command"][-1]
    assert f"RESTOCK_METRICS_PORT={metrics}" in next(one for one in DOCKERFILES if "worker" in one.name).read_text()


def test_nobody_comes_in_and_every_pod_is_under_the_policy() -> None:
    (policy,) = documents(K8S / "base" / "network.yaml")
    assert policy["spec"]["ingress"] == [] and "Ingress" in policy["spec"]["policyTypes"]
    chosen = policy["spec"]["podSelector"]["matchLabels"].items()
    assert all(chosen <= pod["metadata"]["labels"].items() for pod in PODS.values())


def test_liveness_does_not_depend_on_servers_and_the_end_is_given_time() -> None:
    pod = PODS["restock-worker"]["spec"]
    (worker,) = pod["containers"]
    assert "/live" in worker["livenessProbe"]["exec"]["command"][-1]
    assert worker["readinessProbe"]["exec"]["command"] == ["restock", "health", "--quiet"]
    assert pod["terminationGracePeriodSeconds"] > 30


def test_there_are_never_more_workers_than_partitions() -> None:
    (scaler,) = documents(K8S / "overlays" / "autoscaled" / "scaler.yaml")
    (topics,) = PODS["restock-topics"]["spec"]["containers"]
    partitions = int(topics["command"][topics["command"].index("--partitions") + 1])
    assert 1 <= scaler["spec"]["minReplicaCount"] <= scaler["spec"]["maxReplicaCount"] == partitions
    (told,) = (one["metadata"] for one in scaler["spec"]["triggers"])
    assert told["topic"] == "orders" and told["consumerGroup"] == Settings().group
    assert scaler["spec"]["scaleTargetRef"]["name"] in PODS


@pytest.fixture
def product(tmp_path: Path, kafka_bootstrap: str, redis_url: str, unique_name: str) -> Iterator[Cluster]:
    with cluster(tmp_path, kafka_bootstrap, redis_url, unique_name) as made:
        made.run("topics", "create", "--partitions", str(PARTITIONS))
        yield made


@pytest.mark.timeout(150)
def test_a_named_worker_that_was_killed_is_back_with_its_partitions(product: Cluster) -> None:
    named = Cluster({**product.environment, "RESTOCK_GROUP_INSTANCE": "restock-worker-0"}, product.folder)
    try:
        first = named.start_worker()
        assert named.wait_for_line("ready", worker=0)["partitions"] == [0, 1, 2]
        first.kill()
        first.wait()
        named.start_worker()
        # well within the 30 s after which the group would give its partitions away
        eventually(lambda: '"event": "ready"' in (named.folder / "worker-1.log").read_text(), named.logs(), 28)
        assert named.wait_for_line("ready", worker=1)["partitions"] == [0, 1, 2]
    finally:
        named.stop()
