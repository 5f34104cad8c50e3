"""Commands run in this process on a product of a test's own name: quicker than a process each."""

from collections.abc import Iterable

from click.testing import CliRunner, Result
from kafka import KafkaProducer

from stream_app.cli.main import cli
from stream_app.errors import RestockError
from stream_app.ports import OutgoingRecord
from tests.e2e.cluster import Cluster


def run(product: Cluster, *arguments: str) -> Result:
    """Run a command that succeeds."""
    done = invoked(product, *arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def invoked(product: Cluster, *arguments: str) -> Result:
    """Run a command with the settings of a product."""
    own = {name: value for name, value in product.environment.items() if name.startswith("RESTOCK_")}
    return CliRunner().invoke(cli, arguments, env=own)


def refusal(product: Cluster, *arguments: str) -> str:
    """Run a command that fails; return what it says."""
    done = invoked(product, *arguments)
    assert isinstance(done.exception, RestockError), (done.output, done.exception)
    return str(done.exception)


def write(product: Cluster, role: str, records: Iterable[tuple[int, OutgoingRecord]]) -> None:
    """Write records with headers to partitions."""
    producer = KafkaProducer(bootstrap_servers=product.bootstrap, acks="all")
    try:
        for partition, record in records:
            producer.send(
                product.topic(role),
                key=record.key,
                value=record.value,
                headers=list(record.headers),
                partition=partition,
            )
        producer.flush()
    finally:
        producer.close()
