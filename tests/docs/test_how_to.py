"""How-to pages: every command in them exists with these arguments and options, every link leads somewhere."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from model_store.cli.main import main as model_store
from stream_app.cli.main import cli as restock

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
PROGRAMS = {"restock": restock, "model-store": model_store}


def commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.strip().split(" ")[0] in PROGRAMS:
                    yield page.name, line.strip()


@pytest.mark.parametrize(("page", "line"), list(commands()))
def test_a_command_of_a_page_is_one_that_exists(page: str, line: str, tmp_path: Path) -> None:
    program, *arguments = shlex.split(line.split(" #", maxsplit=1)[0])
    for place, argument in enumerate(arguments):
        if re.fullmatch(r"[\w./-]+\.(csv|ndjson|parquet)", argument):
            (tmp_path / Path(argument).name).touch()
            arguments[place] = str(tmp_path / Path(argument).name)
    parsed(PROGRAMS[program], program, arguments)


def parsed(command: click.Command, name: str, arguments: list[str], parent: click.Context | None = None) -> None:
    """Parse arguments as the program would, subcommand by subcommand, without running anything."""
    context = command.make_context(name, list(arguments), parent=parent)
    with context:
        if isinstance(command, click.Group):
            rest = [*context._protected_args, *context.args]
            found, child, left = command.resolve_command(context, rest)
            assert child is not None and found is not None
            parsed(child, found, left, context)


def test_there_are_commands_to_look_at() -> None:
    assert len(list(commands())) > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        file, _, heading = target.partition("#")
        linked = (page.parent / file).resolve() if file else page
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
