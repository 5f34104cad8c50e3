"""Looks at the page as a browser would: over HTTP, with its cookie, and with the HTML read into elements."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import aiohttp
from aiohttp.test_utils import TestServer

from stream_app.page.access import Access
from stream_app.page.serving import application
from stream_app.settings import Settings
from tests.store.clients import client_of

VOID = frozenset(("meta", "link", "input", "br", "img"))
DRAWN = frozenset(("line", "rect", "path", "circle", "polygon"))


@dataclass
class Element:
    """One element of a page."""

    name: str
    attributes: dict[str, str | None]
    parent: "Element | None" = None
    children: list["Element"] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def all(self, name: str = "", **wanted: str) -> list["Element"]:
        """Return the elements below of a name with attributes; a class is one of several."""
        return [one for one in self._below() if name in ("", one.name) and one._has(wanted)]

    def one(self, name: str = "", **wanted: str) -> "Element":
        """Return the first of them; there must be one."""
        found = self.all(name, **wanted)
        assert found, (name, wanted)
        return found[0]

    @property
    def text(self) -> str:
        """All text below, with single spaces."""
        return " ".join(" ".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        yield from self.texts
        for child in self.children:
            yield from child._texts()

    def _below(self) -> Iterator["Element"]:
        for child in self.children:
            yield child
            yield from child._below()

    def _has(self, wanted: Mapping[str, str]) -> bool:
        own = {name: value or "" for name, value in self.attributes.items()}
        kinds = own.get("class", "").split()
        return all(
            value in kinds if name == "kind" else own.get(name.replace("_", "-")) == value
            for name, value in wanted.items()
        )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self.place = Element("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, dict(attrs), self.place)
        self.place.children.append(made)
        if tag not in VOID:
            self.place = made

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.place.children.append(Element(tag, dict(attrs), self.place))

    def handle_endtag(self, tag: str) -> None:
        assert self.place.name == tag, f"</{tag}> closes <{self.place.name}>"
        assert self.place.parent is not None
        self.place = self.place.parent

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.place.texts.append(data)


def parsed(html: str) -> Element:
    """Return a page as its outermost element; every element must be closed where it should."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.place is reader.root, f"<{reader.place.name}> is never closed"
    return reader.root


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    html: str

    @property
    def page(self) -> Element:
        """The HTML as elements."""
        return parsed(self.html)

    @property
    def rows(self) -> list[list[str]]:
        """Texts of the cells of the first table's body."""
        body = self.page.one("tbody")
        return [[cell.text for cell in row.children] for row in body.all("tr")]


@dataclass
class Visitor:
    """A browser at one served page."""

    session: aiohttp.ClientSession
    base: str
    access: Access

    async def see(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Return what an address gives."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, self.base + path, headers=named, allow_redirects=False) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def send(self, path: str, fields: Mapping[str, str], **headers: str) -> Answer:
        """Return what a form gives that is sent as a page of the same site sends it; headers may say otherwise."""
        named = {"Origin": self.base, **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.session.post(self.base + path, data=fields, headers=named, allow_redirects=False) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def come_in(self) -> "Visitor":
        """Open the link with the token."""
        assert (await self.see(f"/?token={self.access.token}")).status == 200
        return self


@asynccontextmanager
async def visitor(
    settings: Settings, *, hosts: tuple[str, ...] = (), address: str = "", by: str | None = None
) -> AsyncIterator[Visitor]:
    """Serve the page of a product and visit it; ``address`` is another Redis than the settings say."""
    access = Access(hosts)
    jar = aiohttp.CookieJar(unsafe=True)  # loopback has no name
    async with client_of(address or settings.redis_address()) as client:
        server = TestServer(application(settings, client, access, by), host="127.0.0.1")
        await server.start_server()
        try:
            async with aiohttp.ClientSession(cookie_jar=jar) as session:
                yield Visitor(session, str(server.make_url("")).rstrip("/"), access)
        finally:
            await server.close()


def settings_of(environment: Mapping[str, str], **changed: Any) -> Settings:
    """Return the settings of a product's environment, some of them changed."""
    own = {
        name.removeprefix("RESTOCK_").lower(): value
        for name, value in environment.items()
        if name.startswith("RESTOCK_") and name != "RESTOCK_CACHE"
    }
    return Settings(**{**own, **changed})
