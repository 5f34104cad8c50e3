"""The compose file against the specification's schema, and the profile `secure` with the files that it makes."""

import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import redis

from stream_app.embedded.valkey import _program
from stream_app.settings import load_settings
from tests.deploy.test_compose import COMPOSE, ONE_SHOT, ROOT, SERVICES
from tests.e2e.cluster import eventually
from tests.secure.giving import _parsed

PARTS = ("worker", "trainer", "page", "operator")
"""Of the product that the profile runs; buyer and splitter are not among its services."""


def test_it_is_valid_by_the_schema_of_the_specification() -> None:
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    jsonschema.Draft7Validator(schema).validate(COMPOSE)


def test_the_default_needs_no_secret_and_each_profile_adds_its_part() -> None:
    by_profile = {name: frozenset(service.get("profiles", ())) for name, service in SERVICES.items()}
    default = {name for name, profiles in by_profile.items() if not profiles}
    assert default == {"kafka", "valkey", "topics", "worker", "warehouse"}
    assert set().union(*by_profile.values()) == {"observability", "train", "secure"}
    assert not any("secure" in mount for name in default for mount in SERVICES[name].get("volumes", []))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_what_its_profiles_start_too(name: str) -> None:
    own = set(SERVICES[name].get("profiles", ()))
    for other in SERVICES[name].get("depends_on", {}):
        assert set(SERVICES[other].get("profiles", ())) <= own, other
        condition = SERVICES[name]["depends_on"][other]["condition"]
        assert (condition == "service_completed_successfully") == (other in ONE_SHOT)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the service `secure-files` fills, by its own command."""
    folder = tmp_path_factory.mktemp("secure")
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    (bin_folder / "restock").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m stream_app.cli.main "$@"\n')
    (bin_folder / "restock").chmod(0o755)
    own = {name: value for name, value in os.environ.items() if not name.startswith("RESTOCK_")}
    environment = own | SERVICES["secure-files"]["environment"]
    environment |= {"PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    shell, script, _ = SERVICES["secure-files"]["command"]
    command = [shell, script.replace("/deploy", str(ROOT / "deploy" / "secure")), str(folder / "made")]
    subprocess.run(command, check=True, env=environment, timeout=110)
    return folder / "made"


def test_every_file_that_a_secured_service_names_is_made(secure: Path) -> None:
    named = set(re.findall(r"/secure/([\w.-]+)", json.dumps({name: SERVICES[name] for name in SERVICES})))
    assert {"ca.pem", "kafka-secure.pem", "users.acl", "rights.sh", "worker.password"} <= named
    assert [name for name in sorted(named) if not (secure / name).exists()] == []


def test_settings_of_the_secured_worker_are_accepted_with_these_files(
    secure: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SERVICES["worker-secure"]["environment"].items():
        monkeypatch.setenv(name, value.replace("/secure", str(secure)))
    settings = load_settings()
    assert settings.kafka_access().protocol == "SASL_SSL"
    assert settings.redis_address().startswith("rediss://restock-worker:")


def test_kafka_is_told_every_right_of_every_part_at_its_own_loopback(secure: Path) -> None:
    lines = (secure / "rights.sh").read_text().splitlines()
    told = [_parsed(line) for line in lines if line.startswith("kafka-acls.sh")]
    assert {one.allow_principal for one in told} == {f"User:restock-{part}" for part in PARTS}
    assert {one.bootstrap_server for one in told} == {"127.0.0.1:19094"}
    assert "ADMIN://127.0.0.1:19094" in SERVICES["kafka-secure"]["environment"]["KAFKA_LISTENERS"]
    assert sum(line.startswith("kafka-configs.sh") for line in lines) == len(PARTS)


def test_valkey_takes_the_acl_file_and_lets_in_the_worker_only_by_name(secure: Path, tmp_path: Path) -> None:
    socket = tmp_path / "v.sock"
    command = [_program(), "--port", "0", "--unixsocket", str(socket), "--aclfile", str(secure / "users.acl")]
    server = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        eventually(socket.exists, "valkey is up", 30)
        password = (secure / "worker.password").read_text().strip()
        with redis.Redis(unix_socket_path=str(socket), username="restock-worker", password=password) as worker:
            assert worker.hset("restock:{restock:0}:meta", "turn", 1) == 1
            with pytest.raises(redis.exceptions.NoPermissionError):
                worker.flushall()
        with redis.Redis(unix_socket_path=str(socket)) as nobody, pytest.raises(redis.exceptions.AuthenticationError):
            nobody.ping()
    finally:
        server.terminate()
        server.wait(20)
