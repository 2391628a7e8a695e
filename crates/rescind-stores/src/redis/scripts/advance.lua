-- KEYS 1: row. ARGV: the time ('' asks the server), the generation that must stand, the one that shall.
local now = ARGV[1]
if now == '' then
  local t = redis.call('TIME')
  now = t[1] .. string.format('%03d', math.floor(tonumber(t[2]) / 1000))
end
local old = redis.call('GET', KEYS[1])
if not old then return {now, 0} end
local generation, rest = string.match(string.sub(old, 7), '^(%d+) %d+ (.*)$')
if generation ~= ARGV[2] then return {now, 0} end
redis.call('SET', KEYS[1], string.sub(old, 1, 6) .. ARGV[3] .. ' ' .. now .. ' ' .. rest, 'KEEPTTL')
return {now, 1}
