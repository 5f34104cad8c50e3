"""``restock acl``: the least rights that a part of the product needs, ready to be given."""

from pathlib import Path
from typing import cast, get_args

import click

from stream_app.kafka.groups import BUYER, splitter_group
from stream_app.kafka.rights import Part
from stream_app.settings import Settings, load_settings
from stream_app.store.rights import RedisPart

_USER = click.option("--user", help="Whom the rights are for; default: restock-PART.")


@click.group()
def acl() -> None:
    """Print the rights that a part of the product needs, no more than it uses."""


@acl.command()
@click.option("--for", "part", type=click.Choice(get_args(Part)), default="worker", show_default=True)
@_USER
@click.option("--source", default="", help="Full name of the topic with whole orders; for the splitter.")
def kafka(*, part: str, user: str | None, source: str) -> None:
    """Print commands of Kafka's distribution that give a user the rights of a part.

    Topics, group and address are those of the settings; with
    RESTOCK_JOINT_ORDERS=1 those of joint orders are among them. With client
    certificates the user is the certificate's subject, for example
    `CN=restock-worker`.
    """
    from stream_app.kafka.rights import commands
    from stream_app.kafka.topics import TopicNames

    if bool(source) != (part == "splitter"):
        raise click.UsageError("--source TOPIC belongs to --for splitter, and to no other part")
    settings = load_settings()
    for line in commands(
        cast(Part, part),
        user or f"restock-{part}",
        settings.kafka,
        TopicNames(settings.topic_prefix),
        _group(settings, part, source),
        is_joint=settings.joint_orders,
        source=source,
    ):
        click.echo(line)


@acl.command()
@click.option("--for", "part", type=click.Choice(get_args(RedisPart)), default="worker", show_default=True)
@_USER
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File whose first line is the password; it is printed as a SHA-256 digest.",
)
def redis(*, part: str, user: str | None, password_file: Path | None) -> None:
    """Print a line for the ACL file of Redis or Valkey, the arguments of ACL SETUSER.

    Trainer and splitter need nothing of Redis. Put `user default off` into the file,
    so that nobody comes in without a name.
    """
    from server_access.tls import first_line
    from stream_app.errors import ConfigError
    from stream_app.store.rights import acl_line

    settings = load_settings()
    try:
        password = None if password_file is None else first_line("--password-file", password_file)
    except ValueError as wrong:
        raise ConfigError([str(wrong)]) from None
    prefix = settings.state_prefix + (BUYER if part == "buyer" else "")
    click.echo(acl_line(cast(RedisPart, part), user or f"restock-{part}", prefix, password))


def _group(settings: Settings, part: str, source: str) -> str:
    match part:
        case "buyer":
            return settings.group + BUYER
        case "splitter":
            return splitter_group(settings.group, source)
        case _:
            return settings.group
