"""Rules in the hands of Prometheus itself, where it is installed: every alert fires when it should, and only then."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from deploy.observability import rules
from stream_app.embedded.kafka import free_ports
from tests.deploy.alert_cases import CASES
from tests.deploy.test_observability import DASHBOARDS, ROOT, panels
from tests.e2e.checker import shown
from tests.e2e.cluster import Cluster, cluster, eventually
from tests.e2e.shop import LIVE, PARTITIONS, counted, history, time_passed

RULE_FILE = ROOT / "deploy/prometheus/rules.yml"
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="Prometheus is not installed: apt-get install prometheus",
)


def test_there_is_a_case_for_every_alert() -> None:
    assert [case.alert for case in CASES] == [alert.name for alert in rules.ALERTS]


@needs_prometheus
def test_every_alert_fires_when_it_should_and_not_before(tmp_path: Path) -> None:
    told = {alert.name: alert for alert in rules.ALERTS}
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
            "alert_rule_test": [
                {"eval_time": case.not_at, "alertname": case.alert, "exp_alerts": []},
                {"eval_time": case.at, "alertname": case.alert, "exp_alerts": "?"},
            ],
        }
        for case in CASES
    ]
    for case, test in zip(CASES, tests, strict=True):
        assert isinstance(test["alert_rule_test"], list)
        labels = {**case.labels, "severity": told[case.alert].severity}
        test["alert_rule_test"][1]["exp_alerts"] = [{"exp_labels": labels}]
    file = tmp_path / "tests.yml"
    # what an alert says in words is not compared: promtool would want it to the last digit
    silent = {
        "groups": [
            {
                **group,
                "rules": [
                    {name: one for name, one in rule.items() if name != "annotations"} for rule in group["rules"]
                ],
            }
            for group in rules.document()["groups"]
        ]
    }
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(silent))
    file.write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
def test_promtool_takes_the_rules_and_the_configuration() -> None:
    for arguments in (["rules", RULE_FILE.name], ["config", "prometheus.yml"]):
        done = subprocess.run(
            ["promtool", "check", *arguments], cwd=RULE_FILE.parent, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Prometheus:
    """A server that scrapes one worker each second and evaluates the rules without waiting."""

    address: str

    def asked(self, path: str, **parameters: str) -> Any:
        with urlopen(f"{self.address}/api/v1/{path}?{urlencode(parameters)}", timeout=10) as page:
            return json.load(page)["data"]

    def series(self, expression: str) -> list[Any]:
        found = self.asked("query", query=expression)["result"]
        assert isinstance(found, list)
        return found

    def firing(self) -> set[str]:
        return {one["labels"]["alertname"] for one in self.asked("alerts")["alerts"] if one["state"] == "firing"}


@pytest.fixture
def product(tmp_path: Path, kafka_bootstrap: str, redis_url: str, unique_name: str) -> Iterator[Cluster]:
    with cluster(tmp_path, kafka_bootstrap, redis_url, unique_name, RESTOCK_DECIDE_FROM=shown(LIVE)) as made:
        made.run("topics", "create", "--partitions", str(PARTITIONS))
        made.start_worker()
        yield made


@pytest.fixture
def prometheus(product: Cluster, tmp_path: Path) -> Iterator[Prometheus]:
    page = product.wait_for_line("ready")["metrics"].removeprefix("http://")
    impatient = rules.document()
    for rule in impatient["groups"][1]["rules"]:
        rule["for"] = "0s"
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(impatient))
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "restock", "static_configs": [{"targets": [page]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    (port,) = free_ports(1)
    with (tmp_path / "prometheus.log").open("wb") as log:
        server = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
    asked = Prometheus(f"http://127.0.0.1:{port}")
    try:
        eventually(lambda: is_up(asked), f"Prometheus: {(tmp_path / 'prometheus.log').read_text()[-2_000:]}", 60)
        yield asked
    finally:
        server.kill()
        server.wait()


def is_up(asked: Prometheus) -> bool:
    try:
        return bool(asked.series("up == 1"))
    except OSError:
        return False


def without_series(asked: Prometheus) -> list[str]:
    """Return the panels of which a query finds nothing."""
    return [
        f"{name}: {panel['title']}"
        for name in DASHBOARDS
        for panel in panels(name)
        for target in panel["targets"]
        if not asked.series(in_window(target["expr"]))
    ]


def in_window(expression: str) -> str:
    chosen = {"$__rate_interval": "5m", "$job": "restock", "$instance": ".+"}
    for variable, value in chosen.items():
        expression = expression.replace(variable, value)
    return expression


@needs_prometheus
@pytest.mark.timeout(180)
def test_every_panel_shows_a_running_worker_and_injected_faults_raise_their_alerts(
    product: Cluster, prometheus: Prometheus, tmp_path: Path
) -> None:
    sent = product.produce("orders", history(500))
    product.produce("orders", [(0, b"main|SKU-000", b"poison")])
    sent += product.produce("orders", time_passed(LIVE)) + 1
    product.produce("inventory", counted(LIVE, on_hand=5))
    eventually(lambda: product.applied("orders") == sent, product.logs())
    eventually(lambda: not without_series(prometheus), "every panel has series", 60)
    eventually(lambda: "RestockRecordsRejected" in prometheus.firing(), "the poison is told", 30)
    assert prometheus.firing() & {"RestockWorkerDown", "RestockModelRefused"} == set()
    models = tmp_path / "models"
    models.mkdir(exist_ok=True)
    (models / "champion").write_text("{")
    eventually(lambda: "RestockModelRefused" in prometheus.firing(), "the damaged pointer is told", 30)
    product.workers[0].kill()
    eventually(lambda: "RestockWorkerDown" in prometheus.firing(), "the dead worker is told", 30)
