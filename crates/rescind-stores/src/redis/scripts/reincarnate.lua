-- ARGV 4-7: the incarnation that was lost, the new one, its head, its first tag.
if h[1] ~= ARGV[4] or tonumber(ARGV[6]) <= tonumber(h[2]) then return {head, 0} end
redis.call('HSET', KEYS[1], 'inc', ARGV[5], 'seq', ARGV[6], 'tag', ARGV[7], 'base', ARGV[6], 'basetag', ARGV[7])
return {head, 1}
