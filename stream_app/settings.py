"""Every setting of the stream application in one flat class, read once by the command line.

Variables carry the prefix ``RESTOCK_``; a variable with the prefix that
nothing here knows is an error, since a mistyped name would silently mean a
default. Secrets come from files. Values of a single SKU are no settings: they
are data on the catalog topic.
"""

import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, Field, ValidationError, field_validator, model_validator

from replenishment.buckets import LONGEST_SECONDS, SHORTEST_SECONDS, BucketWidth
from replenishment.cleaning import patterns_of
from replenishment.engine.plan import Plan
from stream_app.errors import ConfigError
from stream_app.server_settings import PREFIX, ServerSettings, variable
from stream_app.wire.mapping import loaded

OTHER_VARIABLES = frozenset({"RESTOCK_CACHE", "RESTOCK_CLI_COLOR"})
"""Variables of the product that are no settings of the worker."""
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
TOPIC_NAME = r"^[A-Za-z0-9._-]{0,180}$"


class Settings(ServerSettings):
    """What a worker, and every command beside it, is told from outside.

    Build it with ``load_settings``, which reports every problem at once.
    """

    mapping_file: Path | None = Field(
        None, description="JSON file that maps the fields of your records to ours; unset = they have our form."
    )
    models: Path = Field(Path("var/models"), description="Directory of model versions.")
    group: str = Field("restock", pattern=r"^[A-Za-z0-9._-]{1,180}$", description="Consumer group that workers share.")
    group_instance: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,180}$",
        description="Name of this worker that stays over restarts: back within 30 s it has its partitions again and the"
        " group does not move. No two workers may share one; unset = none.",
    )
    topic_prefix: str = Field(
        "", pattern=TOPIC_NAME, description="What the names of all topics begin with, for example `shop1.`."
    )
    state_prefix: str = Field(
        "restock", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="What the names of all keys in Redis begin with."
    )
    transport: Literal["kafkabatch", "kafka"] = Field(
        "kafkabatch",
        description="`kafkabatch` reads whole fetches; `kafka` is Faust's own transport: same results, much slower.",
    )
    bucket_seconds: int = Field(
        86_400, ge=SHORTEST_SECONDS, le=LONGEST_SECONDS, description="Width of a bucket: 60 s to 4 weeks."
    )
    bucket_offset_seconds: int = Field(
        0, gt=-86_400, lt=86_400, description="Offset of local time from UTC: moves the edges of buckets."
    )
    window_buckets: int = Field(112, ge=1, le=10_000, description="Closed buckets kept for each key.")
    allowed_lateness_seconds: int = Field(
        3_600, ge=0, description="How far the watermark stays behind the latest event time."
    )
    max_future_seconds: int = Field(
        3_600,
        ge=0,
        description="An event later than its record's timestamp by more than this is refused (`future_dated`).",
    )
    decide_from: AwareDatetime | None = Field(
        None,
        description="Event time, RFC 3339, from which stock moves and restocks are requested;"
        " unset = the instant of the first claim.",
    )
    tick_seconds: float = Field(
        30.0, ge=0, le=86_400, description="How often a silent partition's watermark moves on; 0 = never."
    )
    learn_lead_times: bool = Field(
        True, description="Whether levels rest on the lead times of deliveries too, not on the catalog's alone."
    )
    lost_sales: bool = Field(False, description="Whether demand without stock is lost instead of becoming backorders.")
    non_stock_skus: str = Field(
        "",
        description="SKUs that name no goods, as shell patterns separated by commas; `usual` = postage, fees, vouchers,"
        " tests and their like. Their order lines are counted as `not_stock` and have no other effect.",
    )
    expiry_days: float = Field(
        14.0, gt=0, le=3_650, description="Days after which a request without an answer raises an alert."
    )
    max_request_ratio: float = Field(
        4.0, gt=0, description="Largest request, in order-up-to levels; guards against blunders."
    )
    joint_orders: bool = Field(
        False,
        description="Whether requests go to `proposals` for `restock buyer`, which orders jointly from each supplier.",
    )
    calibrate: bool = Field(
        False,
        description="Whether decision levels move, within bounds, until demand stays within them as often as the"
        " targets say.",
    )
    metrics_port: int = Field(
        0, ge=0, le=65_535, description="Port of `/metrics`, `/live` and `/ready` on 127.0.0.1; 0 = any free one."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="Form of log lines on stderr; `auto` = console on a terminal, else JSON."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    @field_validator("decide_from", mode="before")
    @classmethod
    def _is_rfc_3339(cls, value: object) -> object:
        if isinstance(value, str) and not RFC_3339.fullmatch(value):
            raise ValueError("must be RFC 3339, for example 2026-01-31T00:00:00Z")
        return value

    @field_validator("mapping_file")
    @classmethod
    def _is_mapping(cls, value: Path | None) -> Path | None:
        try:
            if value is not None:
                loaded(value)
        except ConfigError as wrong:
            raise ValueError("; ".join(one.removeprefix("RESTOCK_MAPPING_FILE: ") for one in wrong.problems)) from None
        return value

    @field_validator("non_stock_skus")
    @classmethod
    def _are_patterns(cls, value: str) -> str:
        patterns_of(value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "Settings":
        self.plan()
        return self

    def plan(self) -> Plan:
        """Return what the engine needs of the settings.

        Raises:
            ValueError: If lateness spans more buckets than the window.
        """
        return Plan(
            width=BucketWidth(self.bucket_seconds, self.bucket_offset_seconds),
            allowed_lateness_seconds=self.allowed_lateness_seconds,
            window_buckets=self.window_buckets,
            lost_sales=self.lost_sales,
            learns_lead_times=self.learn_lead_times,
            non_stock_skus=patterns_of(self.non_stock_skus),
            expiry_days=self.expiry_days,
            max_request_ratio=self.max_request_ratio,
            calibrates=self.calibrate,
        )

    @property
    def decide_from_at(self) -> int | None:
        """``decide_from`` in epoch milliseconds."""
        return None if self.decide_from is None else round(self.decide_from.timestamp() * 1000)


def load_settings(**chosen: Any) -> Settings:
    """Return the settings of the environment; ``chosen`` (from the command line) comes before it.

    Raises:
        ConfigError: Lists every unknown variable and every wrong value.
    """
    problems = unknown_variables(os.environ)
    try:
        settings = Settings(**{name: value for name, value in chosen.items() if value is not None})
    except ValidationError as wrong:
        problems += [_sentence(error) for error in wrong.errors()]
        raise ConfigError(problems) from None
    if problems:
        raise ConfigError(problems)
    return settings


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable with our prefix that no part of the product reads."""
    known = OTHER_VARIABLES | {variable(name) for name in Settings.model_fields}
    return [
        f"{name} is not a setting; `restock config` lists all"
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in known
    ]


def shown(value: object) -> str:
    """Return a setting's value as it would be written in the environment; empty if unset.

    Example:
        >>> shown(False), shown(None), shown(30.0)
        ('false', '', '30')
    """
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case datetime():
            return value.isoformat()
        case _:
            return str(value)


def _sentence(error: Mapping[str, Any]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = variable(str(error["loc"][0]))
    given = "" if "password" in message else f"={error['input']}"
    return f"{name}{given}: {message[:1].lower()}{message[1:]}"
