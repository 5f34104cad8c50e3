"""``restock topics create``."""

import click

from stream_app.kafka.topics import JOINT_ROLES, TOPIC_ROLES, TopicNames
from stream_app.kafka.topics import create as create_topics
from stream_app.settings import load_settings


@click.group()
def topics() -> None:
    """Create the topics."""


@topics.command()
@click.option("--partitions", type=click.IntRange(1, 10_000), default=3, show_default=True, help="Of each topic.")
@click.option(
    "--replication-factor", type=click.IntRange(1, 100), default=None, help="Of each topic; default: the broker's."
)
@click.option("--dry-run", is_flag=True, help="Ask the broker, but create nothing.")
def create(*, partitions: int, replication_factor: int | None, dry_run: bool) -> None:
    """Create the topics that do not exist yet; those that do are left as they are.

    Those of joint orders are among them with RESTOCK_JOINT_ORDERS=1.

    The number of partitions is the largest number of workers that can share
    the load; changing it later moves stock keys between partitions.
    """
    settings = load_settings()
    done = create_topics(
        settings.kafka,
        TopicNames(settings.topic_prefix),
        partitions,
        replication_factor or -1,
        is_dry_run=dry_run,
        roles=(*TOPIC_ROLES, *JOINT_ROLES) if settings.joint_orders else TOPIC_ROLES,
    )
    for topic, count in done.created.items():
        click.echo(f"{'would create' if dry_run else 'created'} {topic} ({count} partitions)")
    for topic, count in done.existing.items():
        other = "" if count == partitions else f", not {partitions}"
        click.echo(f"exists {topic} ({count} partitions{other})")
