-- Forgets at most ARGV 5 of what ended before ARGV 4: records, then scopes, then entries from the log's front.
local left = tonumber(ARGV[5])
local swept = {0, 0, 0}
local due = redis.call('ZRANGEBYSCORE', KEYS[7], '-inf', '(' .. ARGV[4], 'LIMIT', 0, left)
for _, id in ipairs(due) do
  redis.call('ZREM', KEYS[7], id)
  redis.call('ZREM', KEYS[6], id)
  swept[1] = swept[1] + redis.call('HDEL', KEYS[5], id)
end
left = left - #due
due = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', '(' .. ARGV[4], 'LIMIT', 0, left)
for _, scope in ipairs(due) do
  redis.call('ZREM', KEYS[4], scope)
  swept[2] = swept[2] + redis.call('HDEL', KEYS[3], scope)
end
left = left - #due
-- From the front, no further than the first that must stay: a hole would look like lost history.
local base, basetag
if left > 0 then
  for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', left)) do
    local field = {}
    for i = 1, #entry[2], 2 do field[entry[2][i]] = entry[2][i + 1] end
    if tonumber(field['until']) >= tonumber(ARGV[4]) then break end
    redis.call('XDEL', KEYS[2], entry[1])
    swept[3] = swept[3] + 1
    base, basetag = string.match(entry[1], '^%d+'), field['tag']
  end
end
if swept[1] > 0 then redis.call('HINCRBY', KEYS[1], 'records', -swept[1]) end
if swept[2] > 0 then redis.call('HINCRBY', KEYS[1], 'scopes', -swept[2]) end
if swept[3] > 0 then
  redis.call('HINCRBY', KEYS[1], 'entries', -swept[3])
  -- Entries of an earlier incarnation lie before the base already.
  if tonumber(base) > tonumber(h[6]) then redis.call('HSET', KEYS[1], 'base', base, 'basetag', basetag) end
end
return {head, swept[1], swept[2], swept[3]}
