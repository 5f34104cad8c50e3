"""Rights: what is printed is what a recorded life used, the product lives by it, and it needs each of it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_app.kafka.rights import GROUP_RIGHTS, Part, topic_rights
from stream_app.store.rights import COMMANDS, CONNECTION
from tests.secure.guarded import ROOT, Guarded, guarded
from tests.secure.record import ADMINISTRATION, allow_everything, commands_used, rights_used
from tests.secure.scenario import Life

pytestmark = [pytest.mark.timeout(400), pytest.mark.xdist_group("guarded")]
PARTS: tuple[Part, ...] = ("worker", "trainer", "page", "operator")
"""Buyer and splitter have a life of their own: test_stage_rights.py."""
INCLUDED = "DESCRIBE"
"""Comes with READ and WRITE; and what a client may not describe is left out of its list of topics without a word."""

LEFT_OUT = {
    "trainer": (("READ", "inventory"), ("READ", "restock"), ("READ", "signals")),
    "operator": (("WRITE", "signals"), ("READ", "signals")),
}
"""What these lives do not use, since it takes minutes: options of `train`, and feeding signals."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Guarded, dict[str, set[str]]]]:
    """Servers of their own after a life in which everything was allowed, and what Redis ran, by part."""
    with guarded(tmp_path_factory.mktemp("recorded")) as servers:
        for user in PARTS:
            allow_everything(servers, user)
        life = Life(servers, tmp_path_factory.mktemp("life"), "rec")
        commands: dict[str, set[str]] = {"worker": set(), "operator": set(), "page": set(), "trainer": set()}
        life.create_topics()
        for part, chapter in (
            ("worker", life.work),
            ("operator", life.operate),
            ("trainer", life.train),
            ("page", life.look),
            ("operator", life.begin_anew),
        ):
            with commands_used(servers, commands[part]):
                chapter()
        yield servers, commands


def test_the_rights_on_kafka_are_those_that_a_recorded_life_used(
    recorded: tuple[Guarded, dict[str, set[str]]],
) -> None:
    used = rights_used(recorded[0])
    for part in PARTS:
        rights = topic_rights(part, is_joint=False)
        given = {(one, "Topic", f"rec.{role}") for right in rights for one in right.operations for role in right.topics}
        given |= {(one, "Group", "rec") for one in GROUP_RIGHTS[part]}
        wanted = {one for one in used[part] if one[0] != INCLUDED and one[2].startswith("rec")}
        wanted |= {(operation, "Topic", f"rec.{role}") for operation, role in LEFT_OUT.get(part, ())}
        assert {one for one in given if one[0] != INCLUDED} == wanted, part


def test_the_commands_of_redis_are_those_that_a_recorded_life_and_rare_branches_of_scripts_used(
    recorded: tuple[Guarded, dict[str, set[str]]],
) -> None:
    _, commands = recorded
    scripts = "".join(path.read_text() for path in (ROOT / "stream_app" / "store").glob("*.lua"))
    in_scripts = {name.lower() for name in re.findall(r"redis\.call\('(\w+)'", scripts)}
    everybodys = set[str]().union(*commands.values(), in_scripts, CONNECTION)
    for part, given in [(part, given) for part, given in COMMANDS.items() if part in PARTS]:
        # upkeep looks at the state now and then: a short life may end before
        used = (commands[part] - ADMINISTRATION) | (in_scripts if part == "worker" else set())
        assert used <= set(given) <= everybodys, part
    assert commands["trainer"] - ADMINISTRATION == set(), "the trainer has no business in Redis"


def test_the_product_lives_by_these_rights_alone(lived: Life) -> None:
    assert len(lived.requests) > 10
    assert "took back" in lived.printed["rebuild"] and "took back 0" not in lived.printed["rebuild"]
    assert "moving_average" in lived.printed["trainer"]
    assert "main" in lived.printed["page queue"]


def test_the_administrator_alone_has_rights_that_nobody_gave(fortress: Guarded, tmp_path: Path) -> None:
    stranger = Life(fortress, tmp_path, "nobody")
    with pytest.raises(AssertionError, match="does not allow user stranger to describe"):
        stranger._ran("stranger", "topics", "create")
