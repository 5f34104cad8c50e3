#!lua
-- Take a partition over: refuse an older generation or another layout, else epoch + 1.
-- KEYS: meta
-- ARGV: generation (-1 = no consumer group), layout, progress of a first claim, owner
-- Returns CLAIMED epoch progress {table, ...} | FENCED generation | LAYOUT layout | OWNER owner
local meta = KEYS[1]
local generation, layout, opening, owner = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]

if redis.call('EXISTS', meta) == 0 then
  local now = redis.call('TIME')
  redis.call('HSET', meta, 'incarnation', now[1] .. '.' .. now[2], 'layout', layout, 'owner', owner,
    'generation', ARGV[1], 'epoch', '0', 'turn', '0', 'progress', opening)
end

local stored = redis.call('HMGET', meta, 'generation', 'layout', 'owner')
-- whose it is comes first: the generations of two consumer groups say nothing of each other
if stored[3] ~= owner then
  return {'OWNER', stored[3] or ''}
end
if generation >= 0 and generation < tonumber(stored[1]) then
  return {'FENCED', stored[1]}
end
if stored[2] ~= layout then
  return {'LAYOUT', stored[2]}
end

if generation >= 0 then
  redis.call('HSET', meta, 'generation', ARGV[1])
end
local epoch = redis.call('HINCRBY', meta, 'epoch', 1)

local tables = {}
for _, field in ipairs(redis.call('HKEYS', meta)) do
  local name = string.match(field, '^row_bytes:(.+)$')
  if name then
    tables[#tables + 1] = name
  end
end
return {'CLAIMED', epoch, redis.call('HGET', meta, 'progress'), tables}
