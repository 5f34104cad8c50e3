"""What a worker refuses rather than guess, each with a way out."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from kafka.admin import KafkaAdminClient

from tests.e2e.checker import shown
from tests.e2e.cluster import RESTOCK, Cluster, cluster, eventually
from tests.e2e.shop import LIVE, PARTITIONS, history

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def product(tmp_path: Path, kafka_bootstrap: str, redis_url: str, unique_name: str) -> Iterator[Cluster]:
    with cluster(tmp_path, kafka_bootstrap, redis_url, unique_name, RESTOCK_DECIDE_FROM=shown(LIVE)) as made:
        made.run("topics", "create", "--partitions", str(PARTITIONS))
        yield made


def applied(product: Cluster, lines: int = 2_000) -> int:
    """Have a worker apply some orders and commit; return how many."""
    sent = product.produce("orders", history(lines))
    worker = product.start_worker()
    eventually(lambda: product.applied("orders") == sent, product.logs())
    worker.terminate()
    assert worker.wait(20) == 0
    return sent


def empty(product: Cluster) -> None:
    """Delete all that Redis holds of the product."""
    prefix = product.environment["RESTOCK_STATE_PREFIX"]
    with redis.Redis.from_url(product.environment["RESTOCK_REDIS_URL"]) as client:
        assert client.delete(*client.keys(f"restock:{{{prefix}*"))


def refused(product: Cluster, *arguments: str, **changed: str) -> tuple[int, str]:
    """Return exit code and messages of a command that is expected to end by itself."""
    environment = {**product.environment, **changed}
    done = subprocess.run([*RESTOCK, *arguments], env=environment, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stderr.decode()


def test_an_emptied_redis_is_refused_until_the_operator_says_rebuild(product: Cluster) -> None:
    sent = applied(product)
    before, _ = product.state()
    empty(product)
    code, told = refused(product, "worker")
    assert code == 1 and "was Redis emptied" in told and "`restock rebuild`" in told
    assert "whole" in product.run("rebuild", "--dry-run")
    assert refused(product, "worker")[0] == 1
    product.run("rebuild")
    product.start_worker()
    eventually(lambda: product.applied("orders") == sent, product.logs())
    after, _ = product.state()
    assert after == before


def test_a_redis_emptied_under_a_running_worker_ends_it_with_the_reason(product: Cluster) -> None:
    sent = product.produce("orders", history(2_000))
    worker = product.start_worker()
    eventually(lambda: product.applied("orders") == sent, product.logs())
    empty(product)
    product.produce("orders", history(100))
    assert worker.wait(60) == 1
    assert "there is no state of them any longer" in product.logs()


def test_rebuild_does_nothing_while_there_is_state(product: Cluster) -> None:
    applied(product, lines=100)
    code, told = refused(product, "rebuild")
    assert code == 1 and "nothing to rebuild" in told


def test_two_products_on_one_prefix_are_refused(product: Cluster) -> None:
    applied(product, lines=100)
    code, told = refused(product, "worker", RESTOCK_GROUP=f"{product.environment['RESTOCK_GROUP']}-other")
    assert code == 2 and "belongs to group" in told and "RESTOCK_STATE_PREFIX of its own" in told


def test_a_changed_number_of_partitions_is_refused(product: Cluster) -> None:
    applied(product, lines=100)
    admin = KafkaAdminClient(bootstrap_servers=product.bootstrap)
    admin.create_partitions(
        {product.topic(role): PARTITIONS + 2 for role in ("orders", "inventory", "catalog", "signals")}
    )
    admin.close()
    code, told = refused(product, "worker")
    assert code == 2 and "have 5 partitions" in told and "written when they had 3" in told


def test_a_topic_created_anew_is_refused(product: Cluster) -> None:
    applied(product)
    admin = KafkaAdminClient(bootstrap_servers=product.bootstrap)
    admin.delete_topics([product.topic("orders")])
    admin.close()

    def is_created_anew() -> bool:
        return subprocess.run(
            [*RESTOCK, "topics", "create", "--partitions", str(PARTITIONS)], env=product.environment, check=False
        ).returncode == 0 and f"{product.topic('orders')} ({PARTITIONS}" in product.run("topics", "create")

    eventually(is_created_anew, "topic created anew")
    code, told = refused(product, "worker")
    assert code == 1 and "was the topic created anew" in told


def test_records_deleted_before_they_were_applied_are_refused(product: Cluster) -> None:
    applied(product, lines=200)
    product.produce("orders", history(400))
    _, summary = product.state()
    admin = KafkaAdminClient(bootstrap_servers=product.bootstrap)
    topic = product.topic("orders")
    try:
        from kafka import TopicPartition

        offsets = {TopicPartition(topic, int(name)): offset + 5 for name, offset in summary["applied"][topic].items()}
        admin.delete_records(offsets)
    finally:
        admin.close()
    code, told = refused(product, "worker")
    assert code == 1 and "did retention delete records before they were applied" in told


def test_a_younger_generation_in_the_state_is_refused_with_the_command_that_resets_it(product: Cluster) -> None:
    applied(product, lines=100)
    prefix = product.environment["RESTOCK_STATE_PREFIX"]
    with redis.Redis.from_url(product.environment["RESTOCK_REDIS_URL"]) as client:
        for partition in range(PARTITIONS):
            client.hset(f"restock:{{{prefix}:{partition}}}:meta", "generation", 10_000)
    product.start_worker()
    told = product.wait_for_line("partition_fenced", worker=1)
    assert "generation 10000" in told["error"] and "HSET" in told["error"]


def test_a_server_that_evicts_keys_is_refused(product: Cluster) -> None:
    with redis.Redis.from_url(product.environment["RESTOCK_REDIS_URL"]) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            code, told = refused(product, "worker")
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert code == 2 and "CONFIG SET maxmemory-policy noeviction" in told
