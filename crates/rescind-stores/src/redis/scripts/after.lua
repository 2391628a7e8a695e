-- Up to ARGV 5 entries after the position ARGV 4; without a list where they cannot be told.
local after = tonumber(ARGV[4])
if after < tonumber(h[6]) or after > tonumber(h[2]) then return {head} end
local before = h[7]
if ARGV[4] ~= h[6] then
  before = redis.call('XRANGE', KEYS[2], ARGV[4] .. '-0', ARGV[4] .. '-0')
end
if ARGV[5] == '0' then return {head, before, {}} end
return {head, before, redis.call('XRANGE', KEYS[2], '(' .. ARGV[4] .. '-0', '+', 'COUNT', ARGV[5])}
