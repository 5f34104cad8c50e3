"""Guarded servers, and a life of the product under the rights that `restock acl` prints."""

from collections.abc import Iterator

import pytest

from stream_app.store.rights import COMMANDS
from tests.secure.giving import give_kafka_rights, give_redis_rights
from tests.secure.guarded import Guarded, guarded
from tests.secure.scenario import Life


@pytest.fixture(scope="session")
def fortress(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Both servers, with TLS, logins and ACLs."""
    with guarded(tmp_path_factory.mktemp("guarded")) as running:
        yield running


@pytest.fixture(scope="session")
def lived(fortress: Guarded, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """A whole life under no more rights than are printed."""
    life = Life(fortress, tmp_path_factory.mktemp("life"), "modest")
    for part in ("worker", "trainer", "page", "operator"):
        give_kafka_rights(fortress, part, life.name)
        if part in COMMANDS:
            give_redis_rights(fortress, part, life.name)
    for chapter in (life.create_topics, life.work, life.operate, life.train, life.look, life.begin_anew):
        chapter()
    return life
