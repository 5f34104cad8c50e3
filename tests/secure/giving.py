"""Gives users the rights that `restock acl` prints, as an administrator would."""

import argparse
import shlex

import redis
from click.testing import CliRunner
from kafka.admin import ACL, ACLOperation, ACLPermissionType, KafkaAdminClient, ResourcePattern, ResourceType

from stream_app.cli.acl import acl
from tests.secure.guarded import Guarded


def printed(*arguments: str, prefix: str, is_joint: bool = False) -> list[str]:
    """Return the lines that the command prints for a product of its own topics, group and state."""
    own = {"RESTOCK_TOPIC_PREFIX": f"{prefix}.", "RESTOCK_GROUP": prefix, "RESTOCK_STATE_PREFIX": prefix}
    own |= {"RESTOCK_JOINT_ORDERS": "1"} if is_joint else {}
    done = CliRunner().invoke(acl, list(arguments), env=own)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def give_kafka_rights(servers: Guarded, part: str, prefix: str, *options: str, is_joint: bool = False) -> None:
    """Do what the printed commands do, to the user of the same name as the part."""
    kafka = KafkaAdminClient(bootstrap_servers=servers.broker.bootstrap)
    for line in printed("kafka", "--for", part, "--user", part, *options, prefix=prefix, is_joint=is_joint):
        told = _parsed(line)
        kinds = ((ResourceType.TOPIC, told.topic), (ResourceType.GROUP, told.group))
        resources = [ResourcePattern(kind, name) for kind, names in kinds for name in names]
        for resource in resources:
            for operation in told.operation:
                kafka.create_acls([_right(told.allow_principal, operation, resource)])
    kafka.close()


def _right(principal: str, operation: str, resource: ResourcePattern) -> ACL:
    named = {one.name.replace("_", ""): one for one in ACLOperation}
    return ACL(principal, "*", named[operation.upper()], ACLPermissionType.ALLOW, resource)


def _parsed(line: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--allow-principal", required=True)
    for several in ("--operation", "--topic", "--group"):
        parser.add_argument(several, action="append", default=[])
    program, *arguments = shlex.split(line)
    assert program == "kafka-acls.sh"
    return parser.parse_args(arguments)


def give_redis_rights(servers: Guarded, part: str, prefix: str) -> None:
    """Make the user of the same name as the part."""
    password = str(servers.password_file(part))
    (line,) = printed("redis", "--for", part, "--user", part, "--password-file", password, prefix=prefix)
    word, *arguments = line.split()
    assert word == "user"
    with redis.Redis.from_url(servers.valkey.url) as admin:
        admin.execute_command("ACL", "SETUSER", *arguments)
