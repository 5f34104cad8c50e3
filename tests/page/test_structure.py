"""What holds for every page without a browser: headings, names of fields and charts, no script or style within."""

from tests.e2e.shop import SKUS
from tests.page.conftest import PlayedShop
from tests.page.shop import FAST
from tests.page.visitor import Element, visitor


async def test_every_page_has_one_heading_named_regions_and_nothing_that_the_policy_would_block(
    shop: PlayedShop,
) -> None:
    restock_id = next(iter(shop.requests))
    paths = ("/", f"/sku?location=main&sku={FAST}", f"/sku?location=main&sku={SKUS[1]}", f"/request?id={restock_id}")
    async with visitor(shop.settings) as planner:
        await planner.come_in()
        for path in (*paths, "/queue", "/models", "/quality", "/nowhere", "/?sort=wrong"):
            page = (await planner.see(path)).page
            assert len(page.all("h1")) == 1, path
            assert page.one("html").attributes["lang"] == "en" and page.one("title").text.endswith("Restock")
            _check_names(page)
            for one in page.all():
                assert "style" not in one.attributes and one.name != "style"
                assert not any(name.startswith("on") for name in one.attributes), one
            assert all(one.attributes.get("src") for one in page.all("script"))


def _check_names(page: Element) -> None:
    """Every chart, field, scrolling region and column says what it is; no id is there twice."""
    ids = [one.attributes["id"] for one in page.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    for chart in page.all("svg"):
        assert chart.attributes.get("aria-hidden") == "true" or chart.attributes.get("aria-label")
    for field in (*page.all("select"), *page.all("input")):
        assert field.attributes.get("type") == "hidden" or (field.parent is not None and field.parent.name == "label")
    for region in page.all("div", kind="scroll"):
        assert region.attributes.get("aria-label") and region.attributes.get("tabindex") == "0"
    for table in page.all("table"):
        assert all(heading.attributes.get("scope") for heading in table.all("th"))
    for one in page.all():
        for named in (one.attributes.get("aria-labelledby"),):
            assert named is None or named in ids
