-- Writes a batch that was computed for one head, if that still is the head; else says what is, and each scope's state.
-- KEYS 8: whose turn it is. ARGV 4-11: writer, attempts, the incarnation, position and revision computed for, the
-- batch's time, the channel, how many entries; then for each entry: the scope's field, the state computed for
-- ('' none, '-' an entry of this batch), position, lifted position or '', end, scope, reason, actor, tag.
local turn = redis.call('GET', KEYS[8])
local n = tonumber(ARGV[11])
local at = tonumber(ARGV[9])
local fits = (not turn or turn == ARGV[4]) and h[1] == ARGV[6] and h[2] == ARGV[7] and h[5] == ARGV[8]
  -- Never before the store's time: a view forgets by it. Not far ahead of it either, for all that follows inherits it.
  and at >= tonumber(now) and (at <= tonumber(now) + 10000 or at <= tonumber(h[4]))
local states = {}
for i = 0, n - 1 do
  local state = redis.call('HGET', KEYS[3], ARGV[12 + i * 9])
  states[i + 1] = state
  local expected = ARGV[13 + i * 9]
  if expected ~= '-' and (state or '') ~= expected then fits = false end
end
if not fits then
  -- Who has lost often gets a turn of its own, so that a node far away makes progress beside a near one.
  if not turn and tonumber(ARGV[5]) >= 4 then redis.call('SET', KEYS[8], ARGV[4], 'PX', 200) end
  return {head, states}
end
local new = 0
for i = 0, n - 1 do
  local a = 12 + i * 9
  local of = ARGV[a + 3]
  redis.call('XADD', KEYS[2], ARGV[a + 2] .. '-0', 'at', ARGV[9], 'scope', ARGV[a + 5], 'lifts', of, 'until', ARGV[a + 4],
    'reason', ARGV[a + 6], 'actor', ARGV[a + 7], 'tag', ARGV[a + 8])
  local state = ARGV[a + 2] .. ' ' .. ARGV[9] .. ' ' .. ARGV[a + 4]
  if of ~= '' then state = state .. ' ' .. of end
  new = new + redis.call('HSET', KEYS[3], ARGV[a], state)
  redis.call('ZADD', KEYS[4], ARGV[a + 4], ARGV[a])
end
local last = 12 + (n - 1) * 9
redis.call('HSET', KEYS[1], 'seq', ARGV[last + 2], 'tag', ARGV[last + 8], 'at', ARGV[9])
redis.call('HINCRBY', KEYS[1], 'entries', n)
if new > 0 then redis.call('HINCRBY', KEYS[1], 'scopes', new) end
if turn then redis.call('DEL', KEYS[8]) end
redis.call('PUBLISH', ARGV[10], ARGV[last + 2])
return {head}
