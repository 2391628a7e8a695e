-- The newest entry of the scope whose field is ARGV 4.
local state = redis.call('HGET', KEYS[3], ARGV[4])
if not state then return {head} end
local id = string.match(state, '^%d+') .. '-0'
return {head, redis.call('XRANGE', KEYS[2], id, id)}
