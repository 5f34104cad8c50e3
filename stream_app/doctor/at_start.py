"""The doctor in short, beside a worker that starts: what is less than well about Kafka, one log line each.

A worker waits for servers and refuses what it cannot run with; the rest is
what an operator should hear of before it matters.
"""

import structlog

from stream_app.doctor.finding import Level
from stream_app.doctor.kafka_check import examined_kafka
from stream_app.settings import Settings

log = structlog.stdlib.get_logger(__name__)


async def tell_findings(settings: Settings) -> None:
    """Log what the doctor finds of Kafka and the topics; whatever goes wrong with it hurts nobody."""
    try:
        findings = (await examined_kafka(settings)).findings
    except Exception as wrong:  # an examination is no reason to keep a worker from working
        log.warning("doctor_failed", error=str(wrong) or type(wrong).__name__)
        return
    for finding in findings:
        if finding.level is not Level.OK:
            log.warning("doctor_found", check=finding.check, what=finding.what, mend=finding.mend)
