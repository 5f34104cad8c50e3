"""Who is not let in is told why and what to set, at once, with an exit code; each case made on a real listener."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import redis

from tests.e2e.cluster import MODEL_STORE, RESTOCK
from tests.secure.giving import give_redis_rights
from tests.secure.guarded import CANARY, Guarded, certificates
from tests.secure.scenario import Life
from tests.secure.tls_front import tls_in_front_of

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("guarded")]
TAIL = (*RESTOCK, "tail", "orders", "--no-follow")
NO_LOGIN = {"RESTOCK_KAFKA_USER": "", "RESTOCK_KAFKA_PASSWORD_FILE": ""}


def refused(command: tuple[str, ...], environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a command that must fail and print no traceback and no secret; return its exit code and words."""
    done = subprocess.run(command, env=dict(environment), capture_output=True, timeout=60, check=False, text=True)
    told = done.stdout + done.stderr
    assert done.returncode != 0, told
    assert "Traceback" not in told and CANARY not in told
    return done.returncode, told


@pytest.fixture
def known(fortress: Guarded, tmp_path: Path) -> Mapping[str, str]:
    """Environment of an operator who may come in; each test spoils one thing of it."""
    with Life(fortress, tmp_path, "refusals").product_as("operator") as product:
        return product.environment


def test_a_wrong_password_is_told_from_a_server_that_is_away(fortress: Guarded, known: Mapping[str, str]) -> None:
    wrong = {**known, "RESTOCK_KAFKA_PASSWORD_FILE": str(fortress.password_file("wrong"))}
    code, told = refused(TAIL, wrong)
    assert code == 2 and "does not let in user operator by SCRAM-SHA-512" in told
    assert "RESTOCK_KAFKA_PASSWORD_FILE" in told


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_a_user_nobody_knows_is_refused_by_every_mechanism(known: Mapping[str, str], mechanism: str) -> None:
    code, told = refused(TAIL, {**known, "RESTOCK_KAFKA_USER": "ghost", "RESTOCK_KAFKA_MECHANISM": mechanism})
    assert code == 2 and f"does not let in user ghost by {mechanism}" in told


def test_a_foreign_authority_is_named_by_its_setting(fortress: Guarded, known: Mapping[str, str]) -> None:
    code, told = refused(TAIL, {**known, "RESTOCK_KAFKA_CA_FILE": str(fortress.folder / "foreign" / "ca.pem")})
    assert code == 2 and "RESTOCK_KAFKA_CA_FILE" in told and "not from an authority in it" in told


def test_an_expired_certificate_is_said_to_be_one(fortress: Guarded, known: Mapping[str, str]) -> None:
    code, told = refused(TAIL, {**known, "RESTOCK_KAFKA": fortress.broker.guarded["OLD"]})
    assert code == 2 and "certificate has expired" in told and "renew it" in told


def test_a_certificate_for_another_name_is_said_to_be_one(fortress: Guarded, known: Mapping[str, str]) -> None:
    with tls_in_front_of(fortress.redis_socket, fortress.certificates / "kafka.pem", host="127.0.0.2") as port:
        code, told = refused(TAIL, {**known, "RESTOCK_KAFKA": f"127.0.0.2:{port}"})
        assert code == 2 and "is for another name" in told and "127.0.0.2" in told
        code, told = refused((*RESTOCK, "state"), {**known, "RESTOCK_REDIS_URL": f"rediss://127.0.0.2:{port}/0"})
        assert code == 2 and "is for another name" in told


@pytest.mark.parametrize(
    ("listener", "protocol", "wanted"),
    [
        ("LOGIN", "PLAINTEXT", "speaks TLS only: set SSL or SASL_SSL"),
        ("LOGIN", "SSL", "it wants a certificate of ours"),
        ("CERTIFICATE", "SSL", "RESTOCK_KAFKA_CERTIFICATE_FILE"),
    ],
)
def test_a_protocol_that_does_not_fit_the_listener_is_named(
    fortress: Guarded, known: Mapping[str, str], listener: str, protocol: str, wanted: str
) -> None:
    own = {**known, **NO_LOGIN, "RESTOCK_KAFKA": fortress.broker.guarded[listener], "RESTOCK_KAFKA_PROTOCOL": protocol}
    if protocol == "PLAINTEXT":
        own["RESTOCK_KAFKA_CA_FILE"] = ""
    done = subprocess.run(TAIL, env=own, capture_output=True, timeout=60, check=False, text=True)
    assert done.returncode == 2 and wanted in done.stderr, done.stderr


def test_a_listener_without_tls_is_told_from_one_that_is_away(fortress: Guarded, known: Mapping[str, str]) -> None:
    code, told = refused(TAIL, {**known, "RESTOCK_KAFKA": fortress.broker.bootstrap})
    assert code == 2 and "does not speak TLS" in told


def test_a_client_certificate_lets_in_where_one_is_asked_for(fortress: Guarded, known: Mapping[str, str]) -> None:
    tls = fortress.certificates
    own = {
        **known,
        **NO_LOGIN,
        "RESTOCK_KAFKA": fortress.broker.guarded["CERTIFICATE"],
        "RESTOCK_KAFKA_PROTOCOL": "SSL",
        "RESTOCK_KAFKA_CERTIFICATE_FILE": str(tls / "client.crt"),
        "RESTOCK_KAFKA_KEY_FILE": str(tls / "client.key"),
    }
    done = subprocess.run(
        [*RESTOCK, "topics", "create"], env=own, capture_output=True, timeout=60, check=False, text=True
    )
    assert done.returncode == 1 and "does not allow this client to describe" in done.stderr, "in, but without a right"


def test_a_missing_right_is_named_with_the_command_that_prints_it(lived: Life) -> None:
    """The page's user may not write, the trainer's may not read orders."""
    orders = lived.folder / "orders.ndjson"
    with lived.product_as("page") as viewer:
        code, told = refused(
            (*RESTOCK, "feed", str(orders), "--topic", "inventory", "--send-refused"), viewer.environment
        )
    assert code == 1 and "restock acl kafka" in told
    with lived.product_as("trainer") as trainer:
        code, told = refused((*RESTOCK, "tail", "orders", "--no-follow"), trainer.environment)
        assert code == 1 and "restock acl kafka" in told
        evaluate = (*MODEL_STORE, "evaluate", "--models", "moving_average", "--topic", "orders")
        done = subprocess.run(
            evaluate, env=trainer.environment, capture_output=True, timeout=60, check=False, text=True
        )
    assert done.returncode == 1 and "restock acl kafka --for trainer" in done.stderr, done.stderr


def test_the_trainer_is_told_why_it_is_not_let_in(fortress: Guarded, known: Mapping[str, str]) -> None:
    wrong = {**known, "RESTOCK_KAFKA_PASSWORD_FILE": str(fortress.password_file("wrong"))}
    done = subprocess.run(
        [*MODEL_STORE, "evaluate", "--models", "moving_average"],
        env=wrong,
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    assert done.returncode == 1 and "does not let in user operator" in done.stderr and CANARY not in done.stderr


@pytest.mark.parametrize("command", [("worker",), ("doctor",), ("state",)])
def test_redis_with_a_wrong_password_a_foreign_authority_or_an_old_certificate_is_told(
    fortress: Guarded, known: Mapping[str, str], command: tuple[str, ...], tmp_path: Path
) -> None:
    give_redis_rights(fortress, "operator", "refusals")
    wrong = {**known, "RESTOCK_REDIS_PASSWORD_FILE": str(fortress.password_file("wrong"))}
    assert "RESTOCK_REDIS_PASSWORD_FILE" in refused((*RESTOCK, *command), wrong)[1]
    foreign = {**known, "RESTOCK_REDIS_CA_FILE": str(fortress.folder / "foreign" / "ca.pem")}
    assert "RESTOCK_REDIS_CA_FILE" in refused((*RESTOCK, *command), foreign)[1]
    with tls_in_front_of(fortress.redis_socket, fortress.certificates / "old.pem") as port:
        old = {**known, "RESTOCK_REDIS_URL": f"rediss://operator@127.0.0.1:{port}/0"}
        assert "certificate has expired" in refused((*RESTOCK, *command), old)[1]


def test_a_command_that_redis_does_not_allow_is_named_with_the_command_that_prints_the_rights(lived: Life) -> None:
    with lived.product_as("page") as viewer:
        code, told = refused((*RESTOCK, "pause"), viewer.environment)
    assert code == 1 and "restock acl redis" in told
    with redis.Redis.from_url(lived.servers.valkey.url) as admin:
        assert admin.exists(f"restock:{{{lived.name}}}:paused") == 0


def test_keys_of_another_product_are_out_of_reach(lived: Life) -> None:
    with lived.product_as("operator") as operator:
        other = {**operator.environment, "RESTOCK_STATE_PREFIX": "others"}
        code, told = refused((*RESTOCK, "pause"), other)
    assert code == 1 and "restock acl redis" in told


def test_certificates_that_exist_are_kept(tmp_path: Path) -> None:
    certificates(tmp_path, "kafka")
    before = (tmp_path / "kafka.pem").read_bytes()
    certificates(tmp_path, "kafka", "valkey")
    assert (tmp_path / "kafka.pem").read_bytes() == before and (tmp_path / "valkey.pem").exists()
    assert (tmp_path / "kafka.key").stat().st_mode & 0o077 == 0
