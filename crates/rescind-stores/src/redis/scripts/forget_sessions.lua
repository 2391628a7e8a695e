-- Forgets at most ARGV 2 sessions of a shard (KEYS 1: its ends) that ended before ARGV 1; returns ids and subjects in turn.
-- ARGV 3 is what the names of the shard's rows begin with: they have its hash tag, so they lie in its slot.
local gone = {}
for _, sid in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local row = redis.call('GET', ARGV[3] .. sid)
  local subject = ''
  if row then
    local to = string.find(row, '\n', 7, true)
    local length = string.match(string.sub(row, 7, to - 1), '^%d+ %d+ %d+ %d+ (%d+) ')
    subject = string.sub(row, to + 1, to + tonumber(length))
  end
  redis.call('DEL', ARGV[3] .. sid)
  redis.call('ZREM', KEYS[1], sid)
  gone[#gone + 1] = sid
  gone[#gone + 1] = subject
end
return gone
