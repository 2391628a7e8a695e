-- The records between the bounds ARGV 4 and 5, at most ARGV 6: names and values in turn.
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYLEX', KEYS[6], ARGV[4], ARGV[5], 'LIMIT', 0, ARGV[6])) do
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', KEYS[5], id)
end
return {head, found}
