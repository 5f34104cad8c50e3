"""The page of the demonstration: a process of its own whose link works until the demonstration ends."""

from pathlib import Path
from urllib.request import urlopen

import pytest

from stream_app.demo.children import Children, PartFailed
from stream_app.demo.page_link import page_link
from stream_app.settings import Settings
from tests.page.shop import environment_of


def settings_for(redis_url: str, kafka: str, name: str) -> Settings:
    return Settings(kafka=kafka, redis_url=redis_url, topic_prefix=f"{name}.", state_prefix=name)


async def test_the_link_opens_the_page_and_the_page_ends_with_the_demonstration(
    tmp_path: Path, redis_url: str, kafka_bootstrap: str, unique_name: str
) -> None:
    environment = environment_of(settings_for(redis_url, kafka_bootstrap, unique_name))
    async with Children(tmp_path, environment) as children:
        link = await page_link(children)
        (page,) = children.running
        with urlopen(link, timeout=20) as welcome:
            assert welcome.status == 200
    assert not page.is_running


async def test_a_page_that_cannot_start_says_why(tmp_path: Path, redis_url: str, kafka_bootstrap: str) -> None:
    environment = environment_of(settings_for(redis_url, kafka_bootstrap, "x")) | {"RESTOCK_GROUP": "no group"}
    async with Children(tmp_path, environment) as children:
        with pytest.raises(PartFailed, match="RESTOCK_GROUP"):
            await page_link(children)
