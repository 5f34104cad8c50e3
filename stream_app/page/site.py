"""What all pages share: where state, topics and models are read, and how a page is framed around its content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from redis.asyncio import Redis

from model_store.artifact import Manifest
from replenishment.engine.progress import UNKNOWN
from stream_app.kafka.topics import TopicNames
from stream_app.page.access import READING, Access
from stream_app.page.languages import LANGUAGES, said, wanted_language
from stream_app.page.recent import Follower
from stream_app.page.rulings import Rulings
from stream_app.page.snapshot import ANSWER_SECONDS, STALE_SECONDS, Snapshots
from stream_app.page.writing import Notice, Surroundings, moment, visible, written
from stream_app.settings import Settings
from stream_app.store.patience import Patience
from stream_app.store.reader import StateReader
from stream_app.wire.times import shown

LANGUAGE_COOKIE = "restock-language"
LANGUAGE_SECONDS = 365 * 86_400


@dataclass
class Site:
    """Sources of one start of the page.

    Args:
        settings: Of the product that is shown.
        client: As ``connected`` makes it.
        access: Who may look.
        by: Who approves and declines on it; None = nobody can.
    """

    settings: Settings
    client: Redis
    access: Access
    by: str | None = None
    rulings: Rulings | None = field(init=False, default=None)
    snapshots: Snapshots = field(init=False)
    follower: Follower = field(init=False)
    reader: StateReader = field(init=False)
    patience: Patience = field(init=False)
    manifests: dict[str, Manifest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.patience = Patience(ANSWER_SECONDS)
        self.snapshots = Snapshots(self.client, self.settings.state_prefix)
        self.follower = Follower(self.settings.kafka_access(), TopicNames(self.settings.topic_prefix))
        self.reader = StateReader(self.client, self.settings.state_prefix, self.patience)
        if self.by is not None:
            topic = TopicNames(self.settings.topic_prefix).of("inventory")
            self.rulings = Rulings(self.settings.kafka_access(), topic, self.by)

    @property
    def where(self) -> str:
        """Where state is looked for, as a setting and an address without secrets."""
        return f"RESTOCK_STATE_PREFIX={self.settings.state_prefix} in {self.settings.redis_url}"

    def page(self, request: web.Request, template: str, *, needs_topics: bool = False, **content: Any) -> web.Response:
        """Return a page that shows state, with a notice above it for all that is not as it should be."""
        language = language_of(request)
        around = Surroundings(
            language=language,
            path=request.path,
            query=request.query,
            notices=self._notices(language, needs_topics=needs_topics),
            age_seconds=None if self.snapshots.current is None else round(self.snapshots.age_seconds()),
            clock=self._clock(),
        )
        return answer(request, written(template, around, **content))

    def _clock(self) -> str:
        current = self.snapshots.current
        return "" if current is None or current.clock in (0, UNKNOWN) else moment(shown(current.clock))

    def _notices(self, language: str, *, needs_topics: bool) -> Sequence[Notice]:
        notices = []
        current = self.snapshots.current
        if current is not None and (self.snapshots.problem or self.snapshots.age_seconds() > STALE_SECONDS):
            age = round(self.snapshots.age_seconds())
            notices.append(Notice("danger", said(language, "notice.stale", seconds=age), self.snapshots.problem))
        if needs_topics and self.follower.problem:
            notices.append(Notice("warning", said(language, "notice.kafka"), self.follower.problem))
        if current is not None and current.is_paused:
            notices.append(Notice("warning", said(language, "notice.paused")))
        return notices


@dataclass(frozen=True, slots=True)
class Cause:
    """A sentence of a problem page; those of errors are English."""

    text: str
    is_english: bool = False


def problem(
    request: web.Request, status: int, name: str, *, cause: str = "", command: str = "", **parts: object
) -> web.Response:
    """Return a page that says what is wrong, why, and which command or step comes next.

    Args:
        request: What was asked.
        status: Of HTTP.
        name: Of the messages ``problem.NAME`` and ``problem.NAME.cause``.
        cause: What an error says, in English.
        command: What to run next.
        **parts: What the messages need.
    """
    language = language_of(request)
    texts = [Cause(said(language, f"problem.{name}.cause", **parts))]
    if cause:
        texts.append(Cause(visible(cause), is_english=True))
    title = said(language, f"problem.{name}", **parts)
    around = Surroundings(language, request.path, {}, is_live=request.method in READING)
    return answer(request, written("problem.html", around, title=title, causes=texts, command=command), status)


def answer(request: web.Request, html: str, status: int = 200) -> web.Response:
    """Return HTML as a response; a language that was asked for is kept."""
    response = web.Response(text=html, content_type="text/html", charset="utf-8", status=status)
    asked = request.query.get("lang", "")
    if asked in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, asked, max_age=LANGUAGE_SECONDS, samesite="Strict", httponly=True)
    return response


def language_of(request: web.Request) -> str:
    """Return the language of an answer."""
    return wanted_language(
        request.query.get("lang", ""),
        request.cookies.get(LANGUAGE_COOKIE, ""),
        request.headers.get("Accept-Language", ""),
    )


def number_of(query: Mapping[str, str], name: str) -> int:
    """Return a page's number of a query, 1 where there is none that reads as one."""
    given = query.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 7 else 1
