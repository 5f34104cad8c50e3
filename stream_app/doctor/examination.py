"""Everything at once, each part with its own limit, so that servers that are away cost no more than the slowest one."""

import asyncio
from collections.abc import Sequence

from stream_app.doctor.codec_check import codec_findings
from stream_app.doctor.finding import Finding, Level
from stream_app.doctor.kafka_check import KafkaSeen, examined_kafka
from stream_app.doctor.models_check import model_findings
from stream_app.doctor.orders_check import lost_state_findings, order_findings
from stream_app.doctor.redis_check import UNREACHED, examined_redis
from stream_app.doctor.settings_check import examined_settings
from stream_app.doctor.state_check import StateSeen, examined_state
from stream_app.settings import Settings


def examine() -> Sequence[Finding]:
    """Return all findings for the settings of the environment; takes a few seconds at most, changes nothing."""
    settings, findings = examined_settings()
    if settings is None:
        return findings
    return [*findings, *asyncio.run(examined(settings))]


async def examined(settings: Settings) -> Sequence[Finding]:
    """Return the findings about servers, topics, state and models."""
    kafka, redis, models = await asyncio.gather(
        examined_kafka(settings), examined_redis(settings), asyncio.to_thread(model_findings, settings)
    )
    is_away = any(finding.check in UNREACHED for finding in redis)
    state = StateSeen([]) if is_away else await examined_state(settings, kafka.partitions)
    orders = await _examined_orders(settings, kafka, state)
    return [*kafka.findings, *orders, *codec_findings(), *redis, *state.findings, *models]


async def _examined_orders(settings: Settings, kafka: KafkaSeen, state: StateSeen) -> Sequence[Finding]:
    """Return what the topic itself says; only a client that can reach every broker is given the time to read it."""
    is_reachable = all(one.level is Level.OK for one in kafka.findings if one.check.startswith("kafka."))
    if not is_reachable or "orders" not in kafka.partitions:
        return []
    found = await asyncio.to_thread(order_findings, settings)
    if state.partitions is None:
        return found
    return [*found, *await asyncio.to_thread(lost_state_findings, settings, state.partitions)]
