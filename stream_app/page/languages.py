"""What the page says, by language: one catalog of messages each, and which one a reader wants."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = {"en": "English", "zh": "中文"}
DEFAULT = "en"


@cache
def catalog(language: str) -> Mapping[str, str]:
    """Return all messages of a language by name."""
    text = files("stream_app.page").joinpath(f"messages/{language}.json").read_text(encoding="utf-8")
    messages: dict[str, str] = json.loads(text)
    return messages


def said(language: str, name: str, /, **parts: object) -> str:
    """Return a message with its parts filled in.

    Raises:
        KeyError: If there is no such message, or it needs a part that is not given.

    Example:
        >>> said("en", "nav.queue"), said("zh", "nav.queue")
        ('Restock queue', '补货队列')
    """
    return catalog(language)[name].format(**parts)


def wanted_language(asked: str, kept: str, accepted: str) -> str:
    """Return the language to answer in: the one asked for, else the one kept, else the browser's first that we have.

    Args:
        asked: Of the query, empty if it has none.
        kept: Of the cookie, empty if there is none.
        accepted: ``Accept-Language`` of the browser.

    Example:
        >>> wanted_language("", "", "de, zh-CN;q=0.9, en;q=0.8"), wanted_language("en", "zh", "zh")
        ('zh', 'en')
    """
    for language in (asked, kept):
        if language in LANGUAGES:
            return language
    ranked = sorted(accepted.split(","), key=_weight, reverse=True)
    tags = (one.partition(";")[0].strip().partition("-")[0].lower() for one in ranked)
    return next((tag for tag in tags if tag in LANGUAGES), DEFAULT)


def _weight(part: str) -> float:
    try:
        return float(part.partition("q=")[2] or 1.0)
    except ValueError:
        return 0.0
