"""Who is let in, under which names, and that nothing but reading is answered."""

from stream_app.settings import Settings
from tests.page.visitor import visitor

PATHS = ("/", "/sku?location=main&sku=A", "/request?id=1", "/queue", "/models", "/quality", "/live")
METHODS = ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


async def test_without_the_link_nobody_sees_anything_and_is_told_where_the_link_is(nowhere: Settings) -> None:
    async with visitor(nowhere) as stranger:
        for path in (*PATHS, "/nowhere", "/?token=guess", "/?token=%C3%A9"):
            answer = await stranger.see(path)
            assert answer.status == 401, path
            assert "restock page" in answer.page.one("main").text


async def test_the_link_lets_its_holder_in_by_a_cookie_that_scripts_and_other_sites_do_not_get(
    nowhere: Settings,
) -> None:
    async with visitor(nowhere) as planner:
        answer = await planner.see(f"/queue?page=1&token={planner.access.token}")
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
        assert planner.access.token not in answer.html + cookie
        assert answer.page.one("a").attributes["href"] == "/queue?page=1"
        assert (await planner.see("/models")).status == 200


async def test_a_link_of_an_earlier_start_no_longer_works(nowhere: Settings) -> None:
    async with visitor(nowhere) as earlier, visitor(nowhere) as later:
        await earlier.come_in()
        assert (await later.see(f"/?token={earlier.access.token}")).status == 401


async def test_another_host_is_refused_with_the_command_that_would_allow_it(nowhere: Settings) -> None:
    async with visitor(nowhere) as planner:
        await planner.come_in()
        for host in ("evil.example", "evil.example:8600", "127.0.0.1.evil.example", "localhost.", "[::2]:1"):
            answer = await planner.see("/", Host=host)
            assert answer.status == 403, host
            assert "restock page --allowed-host" in answer.page.one("main").text


async def test_names_of_loopback_and_those_allowed_are_answered(nowhere: Settings) -> None:
    async with visitor(nowhere, hosts=("shop.example",)) as planner:
        for host in ("localhost", "LOCALHOST:9000", "[::1]:8600", "shop.example", "shop.example:443"):
            assert (await planner.see(f"/?token={planner.access.token}", Host=host)).status == 200, host


async def test_nothing_but_reading_is_answered_at_any_address(nowhere: Settings) -> None:
    async with visitor(nowhere) as planner:
        await planner.come_in()
        for method in METHODS:
            for path in (*PATHS, "/static/page.css", "/nowhere"):
                answer = await planner.see(path, method)
                assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD"), (method, path)


async def test_every_answer_has_the_headers_that_keep_scripts_and_frames_of_others_out(nowhere: Settings) -> None:
    async with visitor(nowhere) as planner:
        strange = await planner.see("/", Host="evil.example")
        stranger = await planner.see("/")
        await planner.come_in()
        answers = [strange, stranger, await planner.see("/", "POST")]
        answers += [await planner.see(path) for path in ("/", "/models", "/static/page.js", "/static/none", "/nowhere")]
        for answer in answers:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "same-origin"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "Python" not in answer.headers["Server"]


async def test_asking_for_the_headers_alone_is_answered_everywhere(nowhere: Settings) -> None:
    async with visitor(nowhere) as planner:
        await planner.come_in()
        answers = [await planner.see(path, "HEAD") for path in ("/", "/queue", "/live", "/static/page.css")]
        assert [(one.status, one.html) for one in answers] == [(200, "")] * 4


async def test_an_address_that_does_not_exist_is_a_page_too(nowhere: Settings) -> None:
    async with visitor(nowhere) as planner:
        await planner.come_in()
        answer = await planner.see("/no/such/<b>")
        assert answer.status == 404
        assert "<b>" not in answer.html
