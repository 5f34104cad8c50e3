"""Compose file, images and provisioning: they parse, name what exists, and stay on this machine."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream_app.cli.main import COMMANDS
from stream_app.embedded.jars import read_lock
from stream_app.server_settings import variable
from stream_app.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILES = sorted((ROOT / "deploy").glob("*.Dockerfile"))
OF_RESTOCK = [name for name, service in SERVICES.items() if "build" in service]
ONE_SHOT = {name for name, service in SERVICES.items() if service.get("restart") == "no"}
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+(-[\w-]+)?")


def test_all_parts_of_the_product_are_there() -> None:
    assert set(SERVICES) >= {"kafka", "valkey", "topics", "worker", "trainer", "prometheus", "grafana"}


def test_every_image_is_pinned_by_version() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += [image for file in DOCKERFILES for image in re.findall(r"^FROM (\S+)", file.read_text(), re.MULTILINE)]
    assert len(images) >= 9
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_kafka_is_the_version_that_tests_run_on() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{read_lock().kafka_version}"


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_on_loopback_and_memory_is_limited(name: str) -> None:
    service = SERVICES[name]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT - {"trainer"}))
def test_what_keeps_running_tells_whether_it_is_healthy(name: str) -> None:
    service = SERVICES[name]
    if name in OF_RESTOCK and "healthcheck" not in service:
        assert "HEALTHCHECK" in (ROOT / service["build"]["dockerfile"]).read_text()
    else:
        assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_files_and_volumes_that_a_service_mounts_exist(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", OF_RESTOCK)
def test_settings_given_to_our_containers_are_settings(name: str) -> None:
    service = SERVICES[name]
    inside = re.findall(r"(RESTOCK_\w+)=", (ROOT / service["build"]["dockerfile"]).read_text())
    known = {variable(field) for field in Settings.model_fields}
    assert {*service["environment"], *inside} <= known


def test_commands_of_our_containers_exist() -> None:
    assert SERVICES["topics"]["command"][:2] == ["restock", "topics"]
    assert "topics" in COMMANDS
    assert 'CMD ["restock", "worker"]' in (ROOT / "deploy/worker.Dockerfile").read_text()
    assert "worker" in COMMANDS


def test_the_broker_advertises_one_address_inside_and_one_outside() -> None:
    advertised = dict(
        listener.split("://") for listener in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    )
    assert advertised["INSIDE"] == SERVICES["worker"]["environment"]["RESTOCK_KAFKA"]
    assert f"{advertised['OUTSIDE']}:9092" in SERVICES["kafka"]["ports"]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_an_image_copies_what_exists_installs_by_digest_and_runs_without_root(file: Path) -> None:
    text = file.read_text()
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / source).exists() for source in sources.split())
    assert "--require-hashes" in text
    assert "USER 10001" in text


def test_the_worker_image_has_no_tensorflow() -> None:
    assert "locks/worker.txt" in (ROOT / "deploy/worker.Dockerfile").read_text()
    assert "tensorflow" not in (ROOT / "locks/worker.txt").read_text()
    assert "tensorflow==" in (ROOT / "locks/train.txt").read_text()


def test_prometheus_reads_the_worker_where_it_shows_its_metrics() -> None:
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"][0]
    port = re.search(r"RESTOCK_METRICS_PORT=(\d+)", (ROOT / "deploy/worker.Dockerfile").read_text())
    assert port
    assert scraped["static_configs"][0]["targets"] == [f"127.0.0.1:{port[1]}"]
    assert SERVICES["prometheus"]["network_mode"] == "service:worker"
    rules = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["rule_files"]
    assert all((ROOT / "deploy/prometheus" / name).exists() for name in rules)


def test_the_provisioned_datasource_and_dashboards_are_there() -> None:
    source = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    assert source["datasources"][0]["uid"]
    folder = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/restock.yml").read_text())
    path = folder["providers"][0]["options"]["path"]
    mounts = dict(mount.split(":")[:2] for mount in SERVICES["grafana"]["volumes"])
    assert mounts["./deploy/grafana/dashboards"] == path
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "deploy/grafana/dashboards" / Path(home).relative_to(path)).exists()
