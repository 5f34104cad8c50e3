"""Model versions on the page: figures of their manifests, the champion, promotions, and a version that is damaged."""

from dataclasses import replace
from pathlib import Path

from model_store.versions import Versions
from stream_app.settings import Settings
from tests.model_store.builders import moving_average_draft
from tests.page.visitor import visitor

DAY_MS = 86_400_000


def published(root: Path) -> list[str]:
    """Publish three versions, the older ones with figures, promote two; return their ids."""
    versions = Versions(root)
    ids = []
    for number, loss in enumerate((0.61, 0.57, None)):
        draft = moving_average_draft(28 + number)
        figures = {} if loss is None else {"spb_7": loss, "moving_average_spb_7": 0.7, "coverage_7_95": 0.943}
        until = draft.data_until_at + number * 30 * DAY_MS
        ids.append(versions.publish(replace(draft, metrics=figures, data_until_at=until)))
    for at, version in enumerate(ids[:2]):
        versions.promote(version, who="<b>planner</b>", why="better", at=1_700_000_000_000 + at)
    return ids


async def test_versions_are_there_with_their_error_beside_the_moving_averages(
    nowhere: Settings, tmp_path: Path
) -> None:
    first, second, unmeasured = published(tmp_path)
    async with visitor(Settings(**{**nowhere.model_dump(), "models": tmp_path})) as planner:
        await planner.come_in()
        answer = await planner.see("/models")
        assert [row[0] for row in answer.rows] == [unmeasured, f"{second} champion", first]
        assert answer.rows[1][2:] == ["7", "0.570", "18.6 %", "94.3 %"]
        assert len(answer.page.one("svg", kind="accuracy").all("rect")) == 4
        promotions = answer.page.all("tbody")[1].all("tr")
        assert [row.all("td")[1].text for row in promotions] == [second, first]
        assert "<b>planner" not in answer.html


async def test_a_version_that_is_damaged_is_shown_as_such_beside_the_others(nowhere: Settings, tmp_path: Path) -> None:
    first, *_ = published(tmp_path)
    (tmp_path / first / "manifest.json").write_bytes(b"{}")
    async with visitor(Settings(**{**nowhere.model_dump(), "models": tmp_path})) as planner:
        await planner.come_in()
        rows = (await planner.see("/models")).rows
        assert rows[-1][0] == first and len(rows[-1]) == 2
        assert len(rows) == 3
