"""What a form of the page changes: a person's ruling on a request that waits. Only with ``--allow-actions``."""

from collections.abc import Mapping
from typing import get_args
from urllib.parse import urlencode

from aiohttp import web

from stream_app.approvals import LONGEST_NOTE_BYTES, Verdict, is_tellable
from stream_app.errors import RestockError
from stream_app.page.access import is_same_origin
from stream_app.page.pages import SITE
from stream_app.page.rulings import NotConfirmed, NotWaiting
from stream_app.page.site import Site, problem

LONGEST_FORM_BYTES = 8_192
FORM_TYPE = "application/x-www-form-urlencoded"
_VERDICTS: Mapping[str, Verdict] = {one: one for one in get_args(Verdict)}


async def rule(request: web.Request) -> web.Response:
    """Write a ruling and lead back to the queue, or say why not."""
    site = request.app[SITE]
    try:
        fields = await _fields(request)
    except web.HTTPRequestEntityTooLarge:
        return problem(request, 413, "note", bytes=LONGEST_NOTE_BYTES)
    verdict = _VERDICTS.get(fields.get("verdict", ""))
    if verdict is None or not _is_ours(request, site, fields):
        return problem(request, 403, "form")
    note = fields.get("note", "").strip()
    if not is_tellable(note, LONGEST_NOTE_BYTES):
        return problem(request, 400, "note", bytes=LONGEST_NOTE_BYTES)
    return await _ruled(request, site, fields.get("id", "")[:64], verdict, note)


async def _fields(request: web.Request) -> Mapping[str, str]:
    """Return the texts of a form; nothing else is read."""
    if request.content_type != FORM_TYPE:
        return {}
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def _is_ours(request: web.Request, site: Site, fields: Mapping[str, str]) -> bool:
    """Return whether a form was sent by a page of this start; host and cookie were looked at before."""
    origin, fetch_site = request.headers.get("Origin", ""), request.headers.get("Sec-Fetch-Site", "")
    return is_same_origin(request.host, origin, fetch_site) and site.access.is_form(fields.get("form", ""))


async def _ruled(request: web.Request, site: Site, restock_id: str, verdict: Verdict, note: str) -> web.Response:
    assert site.rulings is not None, "without the option no POST comes here"
    try:
        await site.rulings.rule(site.reader, restock_id, verdict, note)
    except NotWaiting as wrong:
        return problem(request, 409, "waiting", cause=str(wrong))
    except NotConfirmed as wrong:
        return problem(request, 503, "unconfirmed", cause=str(wrong), command="restock doctor")
    except RestockError as wrong:
        return problem(request, 503, "unread", cause=str(wrong), command="restock doctor")
    # leads on by GET, so that reloading the page sends nothing again
    return web.Response(status=303, headers={"Location": f"/queue?{urlencode({'ruled': restock_id})}"})
