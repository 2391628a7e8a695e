-- ARGV 4-8: the record's name, the version expected, the version that it gets, its end or '', its body.
local old = redis.call('HGET', KEYS[5], ARGV[4])
local version = old and string.match(old, '^%d+') or '0'
if version ~= ARGV[5] then return {head, 0} end
redis.call('HSET', KEYS[5], ARGV[4], ARGV[6] .. ' ' .. ARGV[7] .. '\n' .. ARGV[8])
if not old then
  redis.call('ZADD', KEYS[6], 0, ARGV[4])
  redis.call('HINCRBY', KEYS[1], 'records', 1)
end
if ARGV[7] == '' then redis.call('ZREM', KEYS[7], ARGV[4]) else redis.call('ZADD', KEYS[7], ARGV[7], ARGV[4]) end
return {head, 1}
