"""``restock tail``: what goes through a topic, line by line."""

import os
import sys
from collections.abc import Generator
from contextlib import closing
from itertools import islice

import click

from stream_app.kafka.topics import JOINT_ROLES, TOPIC_ROLES, TopicNames
from stream_app.settings import load_settings


@click.command()
@click.argument("topic", type=click.Choice([*TOPIC_ROLES, *JOINT_ROLES]))
@click.option("--from-beginning", is_flag=True, help="Begin with the oldest record instead of waiting for new ones.")
@click.option("--no-follow", is_flag=True, help="End at the present end of the topic.")
@click.option("-n", "--records", "count", type=click.IntRange(1), help="End after so many records.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: position, time, key, headers, value.")
def tail(*, topic: str, from_beginning: bool, no_follow: bool, count: int | None, as_json: bool) -> None:
    """Print records of TOPIC as they come; Ctrl-C ends.

    TOPIC is a role (orders, restock, …); RESTOCK_TOPIC_PREFIX goes before it.
    Control characters are escaped. Reads beside the workers: no group, no
    commits.
    """
    from stream_app.printable import escaped, json_line, time_of
    from stream_app.topic_reader import Message, reading

    def line(message: Message) -> str:
        if as_json:
            return json_line(message)
        place = f"{message.partition}/{message.offset}"
        return f"{place:<12} {time_of(message)}  {escaped(message.key)}  {escaped(message.value)}"

    def records() -> Generator[Message, None, None]:
        settings = load_settings()
        with reading(settings.kafka, TopicNames(settings.topic_prefix).of(topic)) as reader:
            starts, ends = reader.starts(), reader.ends()
            yield from reader.read(starts if from_beginning else ends, ends if no_follow else None)

    try:
        with closing(records()) as found:
            for message in islice(found, count):
                click.echo(line(message))
                sys.stdout.flush()
    except BrokenPipeError:
        # whoever read our output has gone; nothing more can be written, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
