"""Catalogs of messages: the same names and parts in each language, all of them used, none missing."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

import stream_app.page
from replenishment.policy import ServiceKind
from replenishment.stock import RequestStatus
from stream_app.approvals import Verdict
from stream_app.explain.silence import Why
from stream_app.page.columns import Condition
from stream_app.page.drawings import EVIDENCE, PARTS
from stream_app.page.languages import LANGUAGES, catalog, wanted_language

FOLDER = Path(str(stream_app.page.__file__)).parent
BUILT: Mapping[str, Sequence[str]] = {
    "condition.": [one.name.lower() for one in Condition],
    "sku.why.": [one.value for one in Why],
    "sku.rule.": [one.label for one in ServiceKind],
    "status.": [one.name.lower() for one in RequestStatus if one < RequestStatus.RECEIVED]
    + [*("waiting", "withdrawn", "declined", "expired", "settled")],
    "waiting.lately.": get_args(Verdict),
    "ruled.": get_args(Verdict),
    "evidence.": [*EVIDENCE, "quantity", "model_version"],
    "part.": [*PARTS, "owed", "received"],
    "field.": ["location", "supplier", "category"],
    "models.": ["promote", "rollback"],
    "quality.": ["keys", "assumed", "unknown", "no_forecast", "late_corrected", "late_dropped", "repeated", "rejected"],
    "problem.": [],
}
"""Names that are put together of a beginning and what the product knows."""


def parts_of(message: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(message) if name is not None}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_says_the_same_with_the_same_parts(language: str) -> None:
    english, other = catalog("en"), catalog(language)
    assert list(other) == list(english)
    for name, message in other.items():
        assert message.strip() and parts_of(message) == parts_of(english[name]), name


def test_every_message_is_used_and_every_name_that_is_used_has_one() -> None:
    templates = "\n".join(file.read_text() for file in sorted((FOLDER / "templates").glob("*.html")))
    code = "\n".join(file.read_text() for file in sorted(FOLDER.glob("*.py")))
    used = set(re.findall(r"""t\(["']([\w.]+)["'][,)]""", templates))
    used |= set(re.findall(r"""said\([\w.]+, ["']([\w.]+)["']""", code)) - {"nav.queue"}
    used |= set(re.findall(r'"((?:nav|field)\.\w+)"', templates + code))
    for name in re.findall(r"""problem\(\s*request,\s*\d+,\s*["'](\w+)["']""", code):
        used |= {f"problem.{name}", f"problem.{name}.cause"}
    used |= {beginning + end for beginning, ends in BUILT.items() for end in ends}
    assert used == set(catalog("en"))


def test_the_browsers_first_language_that_there_is_wins_unless_another_was_chosen() -> None:
    assert wanted_language("", "", "fr;q=0.9, zh-TW;q=0.8, en;q=0.7") == "zh"
    assert wanted_language("", "", "fr, *;q=x, ;;") == "en"
    assert wanted_language("xx", "zh", "en") == "zh"
    assert wanted_language("en", "zh", "zh") == "en"
