"""The command ``restock``: its subcommands by name, each imported only when it is called."""

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from stream_app.errors import ConfigError, RestockError
from stream_app.ops.log import configure

COMMANDS: dict[str, tuple[str, str, str]] = {
    "acl": ("stream_app.cli.acl", "acl", "Print the rights that a part needs on Kafka and Redis."),
    "approve": ("stream_app.cli.approvals", "approve", "Release requests that wait for approval."),
    "bench": ("stream_app.cli.bench", "bench", "Measure order lines per second beside a bare consumer."),
    "buyer": ("stream_app.cli.buyer", "buyer", "Order jointly from each supplier, within minimum and budget."),
    "catalog": ("stream_app.cli.catalog", "catalog", "Load, export and compare terms of SKUs."),
    "config": ("stream_app.cli.config", "config", "Show every setting, its value and where it comes from."),
    "demo": ("stream_app.cli.demo", "demo", "Watch real orders turn into restocks; starts its own servers."),
    "dlq": ("stream_app.cli.dlq", "dlq", "List, show and replay refused records."),
    "doctor": ("stream_app.cli.doctor", "doctor", "Examine all that a worker needs; say what mends it."),
    "explain": ("stream_app.cli.explain", "explain", "Say why a request was made, or why none was."),
    "feed": ("stream_app.cli.feed", "feed", "Send the rows of a file to an input topic."),
    "health": ("stream_app.cli.health", "health", "Ask the worker on this machine whether it is ready."),
    "inventory": ("stream_app.cli.inventory", "inventory", "Load opening stock."),
    "page": ("stream_app.cli.page", "page", "Serve the planner's page."),
    "pause": ("stream_app.cli.pause", "pause", "Hold back all requests: the stop button."),
    "queue": ("stream_app.cli.approvals", "queue", "List the requests that wait for approval."),
    "rebuild": ("stream_app.cli.rebuild", "rebuild", "Begin anew from the topics after Redis was lost."),
    "reject": ("stream_app.cli.approvals", "reject", "Decline requests that wait for approval."),
    "replay": ("stream_app.cli.replay", "replay", "Run files of events through the engine, without servers."),
    "resume": ("stream_app.cli.pause", "resume", "Let requests go out again."),
    "simulate": ("stream_app.cli.simulate", "simulate", "Compare policies and models in money over recorded orders."),
    "split": ("stream_app.cli.split", "split", "Split whole orders into order lines."),
    "state": ("stream_app.cli.state", "state", "Print the state of stock keys straight from Redis."),
    "suppliers": ("stream_app.cli.suppliers", "suppliers", "Say how suppliers are ordered from."),
    "tail": ("stream_app.cli.tail", "tail", "Print records of a topic as they come."),
    "topics": ("stream_app.cli.topics", "topics", "Create the topics."),
    "tune": ("stream_app.cli.tune", "tune", "Search service levels for the least cost; propose a catalog."),
    "worker": ("stream_app.cli.worker", "worker", "Run a worker until it is told to stop."),
}
"""Module, function and one line of help of each command."""


class LazyGroup(click.Group):
    """A group that lists its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """Import a command, or return None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in sorted(COMMANDS.items())])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="restock")
def cli() -> None:
    """Watch orders as they happen, forecast each SKU, request restocks in time."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage or settings."""
    configure(level="error")
    try:
        sys.exit(cli.main(args=arguments, prog_name="restock", standalone_mode=False))
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except RestockError as wrong:
        click.echo(f"restock: {wrong}", err=True)
        sys.exit(2 if isinstance(wrong, ConfigError) else 1)


if __name__ == "__main__":
    main()
