"""The server of the page: who is let in, what lies where, and the events that tell an open page to look again."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from importlib.resources import files

import structlog
from aiohttp import web
from redis.asyncio import Redis

from stream_app.errors import ConfigError, RestockError
from stream_app.page import pages
from stream_app.page.access import READING, Access, Handler, cookie_name, with_headers
from stream_app.page.actions import LONGEST_FORM_BYTES, rule
from stream_app.page.pages import SITE
from stream_app.page.site import Site, problem
from stream_app.page.writing import welcome
from stream_app.settings import Settings
from stream_app.store.connection import connected

ADDRESS = "127.0.0.1"
RULED_AT = "/queue"
MOST_FOLLOWERS = 50
"""Open pages that are told of changes at a time; one more is asked to come again."""
QUIET_SECONDS = 20.0
"""A page is written to at least this often, so that one that has gone is noticed."""
CANCEL_SECONDS = 0.5
STATIC = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
log = structlog.stdlib.get_logger(__name__)
_FOLLOWERS = web.AppKey("followers", list)


def application(settings: Settings, client: Redis, access: Access, by: str | None = None) -> web.Application:
    """Return the page of a product, to be served on loopback; ``by`` is who rules on requests there, None = nobody."""
    app = web.Application(middlewares=[_gate], client_max_size=LONGEST_FORM_BYTES)
    app[SITE] = Site(settings, client, access, by)
    app[_FOLLOWERS] = []
    app.on_response_prepare.append(with_headers)
    app.cleanup_ctx.append(_reading)
    for path, handler in (
        ("/", pages.what_runs_out),
        ("/sku", pages.sku_page),
        ("/request", pages.request_page),
        ("/queue", pages.queue_page),
        ("/models", pages.models_page),
        ("/quality", pages.quality_page),
        ("/live", live),
        ("/static/{name}", static),
    ):
        app.router.add_get(path, handler)
    app.router.add_post(RULED_AT, rule)
    return app


async def serve(
    settings: Settings, access: Access, port: int, tell: Callable[[str], None], by: str | None = None
) -> None:
    """Serve until cancelled; ``tell`` gets the link once the page can be opened, ``by`` is as of ``application``.

    Raises:
        ConfigError: If the port is taken.
    """
    client = connected(settings.redis_address())
    app = application(settings, client, access, by)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, ADDRESS, port, shutdown_timeout=1)
        try:
            await site.start()
        except OSError as wrong:
            why = os.strerror(wrong.errno or 0)
            raise ConfigError(
                [f"port {port} of {ADDRESS} is not free ({why}): choose another, --port 0 takes any"]
            ) from wrong
        # whoever opens the link at once is not to wait for the first reading
        await app[SITE].snapshots.first()
        _, bound = runner.addresses[0][:2]
        tell(f"http://{ADDRESS}:{bound}/?token={access.token}")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
        await client.aclose()


async def live(request: web.Request) -> web.StreamResponse:
    """Send an event whenever state was read anew."""
    site, followers = request.app[SITE], request.app[_FOLLOWERS]
    if len(followers) >= MOST_FOLLOWERS:
        return web.Response(status=503, text="too many open pages", headers={"Retry-After": "60"})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    followers.append(request)
    try:
        number = site.snapshots.number
        while True:
            now = await site.snapshots.after(number, QUIET_SECONDS)
            await response.write(b": quiet\n\n" if now == number else b"event: reading\ndata: %d\n\n" % now)
            number = now
    except ConnectionResetError:
        return response
    finally:
        followers.remove(request)


async def static(request: web.Request) -> web.Response:
    """Return a file of ours."""
    name = request.match_info["name"]
    if name not in STATIC:
        raise web.HTTPNotFound
    text = files("stream_app.page").joinpath(f"static/{name}").read_text(encoding="utf-8")
    return web.Response(text=text, content_type=STATIC[name], charset="utf-8")


@web.middleware
async def _gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in who may look, and turn what goes wrong into a page."""
    access = request.app[SITE].access
    if not access.is_host(request.host):
        command = f"restock page --allowed-host {request.host.rpartition(':')[0] or request.host}"
        return problem(request, 403, "host", host=request.host, command=command)
    if request.method not in (allowed := _methods(request)):
        answer = problem(request, 405, "method", method=request.method, command="restock page --allow-actions")
        answer.headers["Allow"] = ", ".join(allowed)
        return answer
    if not request.path.startswith("/static/"):
        given = request.query.get("token", "")
        if given and access.is_token(given):
            return _let_in(request, access)
        if not access.is_session(request.cookies.get(cookie_name(request), "")):
            return problem(request, 401, "token", command="restock page")
    return await _answered(request, handler)


def _methods(request: web.Request) -> Sequence[str]:
    """Return what is answered at an address."""
    takes_rulings = request.app[SITE].rulings is not None and request.path == RULED_AT
    return (*READING, "POST") if takes_rulings else READING


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return problem(request, 404, "address", path=request.path)
    except RestockError as wrong:
        return problem(request, 503, "failed", cause=str(wrong), command="restock doctor")
    except Exception:
        # what only a developer can mend: the trace is in the terminal, the page says where
        log.exception("page_failed", path=request.path)
        return problem(request, 500, "fault", command="restock page")


def _let_in(request: web.Request, access: Access) -> web.Response:
    """Exchange the token for a cookie and lead on to the same page without it."""
    address = str(request.rel_url.without_query_params("token"))
    response = web.Response(text=welcome(address), content_type="text/html", charset="utf-8")
    response.set_cookie(cookie_name(request), access.session, httponly=True, samesite="Strict", path="/")
    return response


async def _reading(app: web.Application) -> AsyncIterator[None]:
    """Read state and topics as long as the page is served."""
    site = app[SITE]
    reading = asyncio.create_task(site.snapshots.run())
    following = asyncio.create_task(site.follower.run())
    yield
    site.follower.stop()
    # the client of Redis swallows a cancellation that meets it while it connects
    while not reading.done():
        reading.cancel()
        await asyncio.wait([reading], timeout=CANCEL_SECONDS)
    await following
