"""How the trainer's commands come to Kafka: by the same variables as everything else."""

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from server_access.kafka import KafkaAccess


def access_to(bootstrap: str) -> "KafkaAccess":
    """Return the access to the brokers at ``host:port[,host:port…]`` that the variables RESTOCK_KAFKA_… describe.

    Raises:
        click.UsageError: If they do not fit together, or name files that are not what they should be.
    """
    from server_access.security import security_told

    try:
        return security_told(os.environ).access(bootstrap)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
