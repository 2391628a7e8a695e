-- ARGV 4-7: the incarnation that was lost, the new one, its head, its first tag. What is not settled would get no tag any
-- more: 2 asks to settle it first.
if h[1] ~= ARGV[4] or tonumber(ARGV[6]) <= tonumber(h[5]) then return {head, 0} end
if h[5] ~= h[2] then return {head, 2} end
redis.call('HSET', KEYS[1], 'inc', ARGV[5], 'settled', ARGV[6], 'seq', ARGV[6], 'tag', ARGV[7], 'base', ARGV[6],
  'basetag', ARGV[7])
return {head, 1}
