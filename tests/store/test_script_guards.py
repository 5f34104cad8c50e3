"""Every guard of the scripts is needed: with any one of them taken out, some law of the contract fails."""

import asyncio

import pytest

from stream_app.errors import RestockError
from stream_app.store.scripts import APPLY, CLAIM, MARK_SENT, Script
from tests.contracts.store_contract import LAWS
from tests.store.clients import fresh_store

GUARDS: tuple[tuple[Script, str, str], ...] = (
    (CLAIM, "generation >= 0 and generation < tonumber(stored[1])", "false"),
    (CLAIM, "if stored[3] ~= owner then", "if false then"),
    (CLAIM, "if stored[2] ~= layout then", "if false then"),
    (CLAIM, "if generation >= 0 then\n  redis", "if true then\n  redis"),
    (CLAIM, "redis.call('HINCRBY', meta, 'epoch', 1)", "redis.call('HINCRBY', meta, 'epoch', 0)"),
    (CLAIM, "redis.call('EXISTS', meta) == 0", "true"),
    (APPLY, "if stored[1] ~= epoch then", "if false then"),
    (APPLY, "if turn == stored_turn then", "if false then"),
    (APPLY, "stored[3] == progress and 'REPEATED' or 'AHEAD'", "'REPEATED'"),
    (APPLY, "elseif turn < stored_turn then", "elseif false then"),
    (APPLY, "elseif turn > stored_turn + 1 then", "elseif false then"),
    (APPLY, "if before and tonumber(before) > tonumber(position) then", "if false then"),
    (APPLY, "if #rows ~= #names * width then", "if false then"),
    (APPLY, "if kept and tonumber(kept) ~= width then", "if false then"),
    (APPLY, "if not is_dropped[name] then", "if true then"),
    (APPLY, "redis.call('UNLINK', KEYS[2 + place])", "redis.call('EXISTS', KEYS[2 + place])"),
    (APPLY, "redis.call('HDEL', meta, 'row_bytes:' .. name)", "redis.call('PING')"),
    (APPLY, "redis.call('HSET', meta, 'position:' .. topic, position)", "redis.call('PING')"),
    (APPLY, "redis.call('HSET', meta, 'turn', ARGV[2], 'progress', progress)", "redis.call('PING')"),
    (APPLY, "for first = 1, #names, FIELDS_PER_CALL do", "for first = 1, 1, FIELDS_PER_CALL do"),
    (MARK_SENT, "redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1]", "false"),
    (MARK_SENT, "redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[2])", "redis.call('PING')"),
)


@pytest.mark.parametrize(
    ("script", "guard", "removed"), GUARDS, ids=[f"{script.name}: {guard[:50]}" for script, guard, _ in GUARDS]
)
def test_without_it_a_law_fails(
    script: Script, guard: str, removed: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert script.source.count(guard) == 1
    mutated = Script(script.name)
    monkeypatch.setitem(mutated.__dict__, "source", script.source.replace(guard, removed))
    for name in ("source", "digest"):
        monkeypatch.setitem(script.__dict__, name, getattr(mutated, name))
    assert asyncio.run(_broken_laws(redis_url)) > 0


def test_as_they_are_no_law_fails(redis_url: str) -> None:
    assert asyncio.run(_broken_laws(redis_url)) == 0


async def _broken_laws(redis_url: str) -> int:
    broken = 0
    for law in LAWS:
        async with fresh_store(redis_url) as (store, _, _):
            try:
                await law(store)
            except (AssertionError, RestockError, pytest.fail.Exception):
                broken += 1
    return broken
