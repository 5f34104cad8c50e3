"""Who may see the page, and who may rule on requests: token or cookie, the right host, for a form its origin and token.

The page holds what a shop sells and what it lacks. It listens on loopback,
yet any site in the same browser can send requests there: hence the check of
the host (DNS rebinding) and the strict cookie. What changes something must
come from a form of this page besides, and only where that was asked for.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
READING = ("GET", "HEAD")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # not no-referrer: with it a browser sends our own forms with `Origin: null`
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "restock",
}


def fresh_secret() -> str:
    """Return a secret that nobody can guess: 256 bits in letters that a URL takes."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Access:
    """The secrets of one start, and the hosts under which the page may be asked for beside loopback's."""

    hosts: Sequence[str] = ()
    token: str = field(default_factory=fresh_secret, repr=False)
    session: str = field(default_factory=fresh_secret, repr=False)
    form: str = field(default_factory=fresh_secret, repr=False)

    def is_host(self, host: str) -> bool:
        """Return whether a Host header names us, on any port: a tunnel may end on another.

        Example:
            >>> [Access().is_host(host) for host in ("127.0.0.1:8600", "[::1]:8600", "evil.example:8600", "")]
            [True, True, False, False]
        """
        name, colon, port = host.rpartition(":")
        named = name if colon and port.isdigit() else host
        return named.lower() in (*LOCAL_HOSTS, *(one.lower() for one in self.hosts))

    def is_token(self, given: str) -> bool:
        """Return whether it is the token of the link."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def is_session(self, given: str) -> bool:
        """Return whether it is the content of our cookie."""
        return hmac.compare_digest(given.encode(), self.session.encode())

    def is_form(self, given: str) -> bool:
        """Return whether it is the token that our forms carry, which other sites cannot read."""
        return hmac.compare_digest(given.encode(), self.form.encode())


def is_same_origin(host: str, origin: str, fetch_site: str) -> bool:
    """Return whether a request was sent by a page of the same host, as its browser says.

    Args:
        host: Of the request.
        origin: Header ``Origin``; a proxy may have taken the encryption off.
        fetch_site: Header ``Sec-Fetch-Site``, empty from a browser that does not know it.

    Example:
        >>> is_same_origin("127.0.0.1:8600", "http://127.0.0.1:8600", "same-origin")
        True
        >>> is_same_origin("127.0.0.1:8600", "http://127.0.0.1:3000", "same-site")
        False
        >>> is_same_origin("127.0.0.1:8600", "", ""), is_same_origin("127.0.0.1:8600", "null", "")
        (False, False)
    """
    scheme, _, named = origin.partition("://")
    return scheme in ("http", "https") and named.lower() == host.lower() and fetch_site in ("", "same-origin")


async def with_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Put the protective headers on a response of any kind."""
    response.headers.update(HEADERS)


def cookie_name(request: web.Request) -> str:
    """Return a name of the cookie that two pages on one machine do not share: cookies do not know ports."""
    port = request.host.rpartition(":")[2]
    return f"restock-page-{port}" if port.isdigit() else "restock-page"
