"""Rights of the stages beside the worker, buyer and splitter: recorded in one life, lived by in another."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from kafka.admin import KafkaAdminClient

from stream_app.kafka.groups import BUYER, splitter_group
from stream_app.kafka.rights import GROUP_RIGHTS, JOINT_RIGHTS, Part, topic_rights
from stream_app.kafka.topics import JOINT_ROLES
from stream_app.store.rights import COMMANDS, CONNECTION
from tests.e2e.checker import Logged, read_topic
from tests.e2e.cluster import eventually
from tests.e2e.shop import DAY, LIVE, START, counted, history, keyed, time_passed
from tests.secure.giving import give_kafka_rights, give_redis_rights
from tests.secure.guarded import ROOT, Guarded, guarded
from tests.secure.record import ADMINISTRATION, allow_everything, commands_used, rights_used
from tests.secure.scenario import Life

pytestmark = [pytest.mark.timeout(400), pytest.mark.xdist_group("guarded")]
STAGES: tuple[Part, ...] = ("worker", "operator", "buyer", "splitter")
INCLUDED = "DESCRIBE"
"""Comes with READ and WRITE."""
SOURCE = "shop-orders"


@dataclass
class StagedLife(Life):
    """Orders come whole, and requests go out as joint orders; ``commands`` is what Redis ran for the buyer."""

    commands: set[str] = field(default_factory=set)
    more: ClassVar[Mapping[str, str]] = {"RESTOCK_JOINT_ORDERS": "1"}

    def create_source(self) -> None:
        """The order system's own topic."""
        admin = KafkaAdminClient(bootstrap_servers=self.servers.broker.bootstrap)
        admin.create_topics({f"{self.name}.{SOURCE}": {"num_partitions": 1, "replication_factor": 1}})
        admin.close()

    def agree(self) -> None:
        """The operator's commands about suppliers."""
        terms, catalog = self.folder / "suppliers.csv", self.folder / "catalog.csv"
        terms.write_text("supplier,gather_minutes\nacme,0\n")
        catalog.write_text("sku,location,supplier\nSKU-001,main,acme\n")
        self._ran("operator", "catalog", "import", str(catalog))
        self._ran("operator", "suppliers", "import", str(terms))
        self._ran("operator", "suppliers", "export", "-")
        self._ran(
            "operator", "suppliers", "short", "acme", "SKU-001", "--units", "5", "--until", "2027-01-01T00:00:00Z"
        )

    def split(self) -> None:
        """Two whole orders come, one of which is none."""
        order = {"order_id": "w-1", "location": "main", "event_time": round(START * 1000)}
        whole = order | {"lines": [{"sku": "SKU-001", "quantity": 2}, {"sku": "SKU-002", "quantity": 1}]}
        with self.administered() as admin, self.product_as("splitter") as product:
            product.start_worker(product.topic(SOURCE), command="split")
            admin.produce(SOURCE, [(0, b"w-1", json.dumps(one).encode()) for one in (whole, order)])
            for role, count in (("orders", 2), ("dead-letter", 1)):
                eventually(lambda role=role, count=count: len(self.read(role)) == count, f"{role}: {product.logs()}")  # type: ignore[misc]

    def propose(self) -> None:
        """A worker proposes instead of requesting."""
        with self.administered() as admin, self.product_as("worker") as product:
            admin.produce("orders", [*history(1_000), *time_passed(LIVE + 2 * DAY), keyed(b"main|SKU-000", {})])
            admin.produce("inventory", counted(LIVE, on_hand=5))
            product.start_worker()
            eventually(lambda: len(self.read("proposals")) > 10, f"proposals: {product.logs()}")

    def buy(self) -> None:
        """A buyer orders and refuses; another takes over its state."""
        with self.administered() as admin:
            late = [(number, None, value) for number, _, value in time_passed(LIVE + 4 * DAY)]
            admin.produce("proposals", [(0, None, b"no json"), *late])
            with admin.redis() as client:
                client.script_flush()
        with self.product_as("buyer") as product, commands_used(self.servers, self.commands):
            product.folder = self.folder / "buyer"
            product.folder.mkdir()
            buyer = product.start_worker(command="buyer")
            for role in ("restock", "joint-orders"):
                eventually(partial(self.has_many, role), role)
            eventually(lambda: any(b"short_supply" in (one.value or b"") for one in self.read("inventory")), "answer")
            eventually(lambda: any(self.is_buyers(one.headers) for one in self.read("dead-letter")), "dead letter")
            buyer.terminate()
            buyer.wait(60)
            product.start_worker(command="buyer")
            product.wait_for_line("ready", worker=1)

    def look_on(self) -> None:
        """What the operator does meanwhile."""
        self._ran("operator", "suppliers", "offer-surplus")
        for role in JOINT_ROLES:
            self._ran("operator", "tail", role, "--from-beginning", "--no-follow", "-n", "1")

    def has_many(self, role: str) -> bool:
        """Whether a topic has several records."""
        return len(self.read(role)) > 1

    def is_buyers(self, headers: dict[str, bytes]) -> bool:
        """Whether a dead letter is of a proposal."""
        return headers["__connect.errors.topic"].decode() == f"{self.name}.proposals"

    def read(self, role: str) -> list[Logged]:
        """Return the records of a topic."""
        return read_topic(self.servers.broker.bootstrap, f"{self.name}.{role}")

    def live(self) -> None:
        """All chapters."""
        for chapter in (
            self.create_topics,
            self.create_source,
            self.agree,
            self.split,
            self.propose,
            self.buy,
            self.look_on,
        ):
            chapter()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Guarded, set[str]]]:
    """Servers of their own after a life in which everything was allowed, and what Redis ran for the buyer."""
    with guarded(tmp_path_factory.mktemp("recorded")) as servers:
        for user in STAGES:
            allow_everything(servers, user)
        life = StagedLife(servers, tmp_path_factory.mktemp("life"), "staged")
        life.live()
        yield servers, life.commands


def test_the_rights_of_stages_are_those_that_a_recorded_life_used(recorded: tuple[Guarded, set[str]]) -> None:
    used = rights_used(recorded[0])
    groups = {"buyer": f"staged{BUYER}", "splitter": splitter_group("staged", f"staged.{SOURCE}")}
    for part in ("buyer", "splitter"):
        given = {
            (one, "Topic", f"staged.{role}")
            for right in topic_rights(part, is_joint=True)
            for one in right.operations
            for role in right.topics
        }
        given |= {(one, "Group", groups[part]) for one in GROUP_RIGHTS[part]}
        given |= {("READ", "Topic", f"staged.{SOURCE}")} if part == "splitter" else set()
        wanted = {one for one in used[part] if one[0] != INCLUDED and one[2].startswith("staged")}
        assert {one for one in given if one[0] != INCLUDED} == wanted, part


def test_what_joint_orders_add_to_a_part_was_used(recorded: tuple[Guarded, set[str]]) -> None:
    used = rights_used(recorded[0])
    for part, rights in JOINT_RIGHTS.items():
        given = {
            (one, "Topic", f"staged.{role}") for right in rights for one in right.operations for role in right.topics
        }
        assert given <= used[part], part


def test_the_commands_of_redis_are_those_that_the_buyer_and_rare_branches_of_scripts_used(
    recorded: tuple[Guarded, set[str]],
) -> None:
    scripts = "".join(path.read_text() for path in (ROOT / "stream_app" / "store").glob("*.lua"))
    in_scripts = {name.lower() for name in re.findall(r"redis\.call\('(\w+)'", scripts)}
    assert set(COMMANDS["buyer"]) == recorded[1] - ADMINISTRATION | in_scripts | set(CONNECTION)


def test_stages_live_by_these_rights_alone(fortress: Guarded, tmp_path: Path) -> None:
    life = StagedLife(fortress, tmp_path, "frugal")
    for part in STAGES:
        source = ("--source", f"frugal.{SOURCE}") if part == "splitter" else ()
        give_kafka_rights(fortress, part, life.name, *source, is_joint=True)
        if part in COMMANDS:
            give_redis_rights(fortress, part, life.name)
    life.live()
    assert life.has_many("restock")
