"""Log lines on stderr, of ours and of the libraries alike, in one form: console for people, JSON for machines."""

import logging
import sys
from typing import Literal, TextIO

import stamina.instrumentation
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from stream_app.errors import RestockError

LogFormat = Literal["auto", "console", "json"]
LIBRARIES = (
    "faust",
    "mode",
    "aiokafka",
    "kafka",
    "asyncio",
    "redis",
    "stream_app.kafka.transport",
    "stream_app.kafka.batching",
)
"""Loggers of interest only when debugging; Faust logs for its subclasses under the name of their module."""


def configure(log_format: LogFormat = "auto", level: str = "info", stream: TextIO = sys.stderr) -> None:
    """Send every log line of the process to ``stream``; libraries from warnings up, unless ``level`` is debug."""
    is_console = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_trace_of_known_errors,
    ]
    rendered: list[Processor] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(),
                pad_event_to=24,
                # another one shows the values of local variables: pages of rows, and secrets among them
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
        if is_console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
    )
    output = logging.StreamHandler(stream)
    output.setFormatter(formatter)
    logging.basicConfig(handlers=[output], level=level.upper(), force=True)
    logging.captureWarnings(True)
    # whoever asks a server again and again says so in words of its own
    stamina.instrumentation.set_on_retry_hooks(())
    for library in LIBRARIES:
        logging.getLogger(library).setLevel("DEBUG" if level == "debug" else "WARNING")
    # a client that is closed while it refreshes tells of a failure that is none; whoever asks it gets an exception
    logging.getLogger("kafka.cluster").setLevel("DEBUG" if level == "debug" else "CRITICAL")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def without_trace_of_known_errors(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop the traceback of an error whose message already says what to do.

    Example:
        >>> from stream_app.errors import Unavailable
        >>> without_trace_of_known_errors(None, "error", {"event": "e", "exc_info": Unavailable("Redis is away")})
        {'event': 'e', 'error': 'Redis is away'}
    """
    trace = event.get("exc_info")
    error = sys.exc_info()[1] if trace is True else trace[1] if isinstance(trace, tuple) else trace
    if isinstance(error, RestockError):
        del event["exc_info"]
        event.setdefault("error", str(error))
    return event
