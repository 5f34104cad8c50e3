#!lua
-- Write one turn whole, or nothing: every check comes before the first write, since a script is never rolled back.
-- KEYS: meta, outbox, tables to drop, tables to write
-- ARGV: epoch, turn, progress, positions {topic: offset}, tables to drop [name],
--       tables to write [{name, row bytes}], outgoing [length], outgoing bytes,
--       and for each table to write: names, rows, names that are gone
-- Lists are MessagePack. A length of -1 stands for a part that is absent.
-- Returns APPLIED | REPEATED | FENCED | AHEAD | REGRESSED | CORRUPT reason
local meta, outbox = KEYS[1], KEYS[2]
local epoch, turn, progress = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local PARTS = {'topic', 'key', 'value', 'headers'}
local FIELDS_PER_CALL = 1000

local stored = redis.call('HMGET', meta, 'epoch', 'turn', 'progress')
if stored[1] ~= epoch then
  return {'FENCED'}
end
local stored_turn = tonumber(stored[2])
if turn == stored_turn then
  -- the same turn with another content is somebody else's
  return {stored[3] == progress and 'REPEATED' or 'AHEAD'}
elseif turn < stored_turn then
  return {'AHEAD'}
elseif turn > stored_turn + 1 then
  return {'REGRESSED'}
end
local positions = cmsgpack.unpack(ARGV[4])
for topic, position in pairs(positions) do
  local before = redis.call('HGET', meta, 'position:' .. topic)
  if before and tonumber(before) > tonumber(position) then
    return {'AHEAD'}
  end
end

local dropped = cmsgpack.unpack(ARGV[5])
local written = cmsgpack.unpack(ARGV[6])
local is_dropped = {}
for _, name in ipairs(dropped) do
  is_dropped[name] = true
end

local function has_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  return found == wanted or found == 'none'
end

if not has_type(outbox, 'stream') then
  return {'CORRUPT', outbox .. ' is no stream'}
end
local writes = {}
for place, about in ipairs(written) do
  local name, width, key = about[1], about[2], KEYS[2 + #dropped + place]
  local first = 9 + (place - 1) * 3
  local names, rows, gone = cmsgpack.unpack(ARGV[first]), ARGV[first + 1], cmsgpack.unpack(ARGV[first + 2])
  if #rows ~= #names * width then
    return {'CORRUPT', key .. ' was given ' .. #rows .. ' bytes for ' .. #names .. ' rows of ' .. width}
  end
  if not is_dropped[name] then
    local kept = redis.call('HGET', meta, 'row_bytes:' .. name)
    if kept and tonumber(kept) ~= width then
      return {'CORRUPT', key .. ' has rows of ' .. kept .. ' bytes, the turn has rows of ' .. width}
    end
    if not has_type(key, 'hash') then
      return {'CORRUPT', key .. ' is no hash'}
    end
  end
  writes[place] = {name = name, key = key, width = width, names = names, rows = rows, gone = gone}
end

-- The outbox first: its first entry is the only write that could still be refused (by an id that is there already).
local lengths, outgoing = cmsgpack.unpack(ARGV[7]), ARGV[8]
local cut = 1
for entry = 1, #lengths / #PARTS do
  local fields, filled = {}, 0
  for place, part in ipairs(PARTS) do
    local length = lengths[(entry - 1) * #PARTS + place]
    if length >= 0 then
      fields[filled + 1] = part
      fields[filled + 2] = string.sub(outgoing, cut, cut + length - 1)
      filled = filled + 2
      cut = cut + length
    end
  end
  redis.call('XADD', outbox, ARGV[2] .. '-' .. entry, unpack(fields, 1, filled))
end

for place, name in ipairs(dropped) do
  redis.call('UNLINK', KEYS[2 + place])
  redis.call('HDEL', meta, 'row_bytes:' .. name)
end
for _, write in ipairs(writes) do
  local names, rows, width = write.names, write.rows, write.width
  for first = 1, #names, FIELDS_PER_CALL do
    local fields, filled = {}, 0
    for place = first, math.min(first + FIELDS_PER_CALL - 1, #names) do
      fields[filled + 1] = names[place]
      fields[filled + 2] = string.sub(rows, (place - 1) * width + 1, place * width)
      filled = filled + 2
    end
    redis.call('HSET', write.key, unpack(fields, 1, filled))
  end
  for first = 1, #write.gone, FIELDS_PER_CALL do
    redis.call('HDEL', write.key, unpack(write.gone, first, math.min(first + FIELDS_PER_CALL - 1, #write.gone)))
  end
  redis.call('HSET', meta, 'row_bytes:' .. write.name, write.width)
end
for topic, position in pairs(positions) do
  redis.call('HSET', meta, 'position:' .. topic, position)
end
redis.call('HSET', meta, 'turn', ARGV[2], 'progress', progress)
return {'APPLIED'}
