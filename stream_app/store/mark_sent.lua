#!lua
-- Trim the outbox up to an entry, in the name of the latest claim.
-- KEYS: meta, outbox
-- ARGV: epoch, id of the first entry to keep
-- Returns 1, or 0 if fenced
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return 0
end
redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[2])
return 1
