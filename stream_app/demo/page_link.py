"""The planner's page of the demonstration: `restock page` as a process of its own, on a free port."""

import asyncio
import time

from stream_app.demo.children import RESTOCK, Children, PartFailed

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.1


async def page_link(children: Children) -> str:
    """Start the page and return the link that it prints.

    Raises:
        PartFailed: If it ends, or prints none in time.
    """
    page = await children.start("page", *RESTOCK, "page", "--port", "0")
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        for line in page.log.read_text().splitlines():
            if line.startswith("http://"):
                return line
        page.check()
        await asyncio.sleep(POLL_SECONDS)
    raise PartFailed(page.name, f"printed no link within {PATIENCE_SECONDS:.0f} s; its log says:", page.log)
