-- KEYS 10-12: row, the shard's ends, the subject's index. ARGV 4-8: id, lengths, tail, absolute life, margin.
if insert(KEYS[10], KEYS[11], h[8], now, h[2], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]) == 0 then return {head, 0} end
redis.call('ZADD', KEYS[12], 0, ARGV[4])
return {head, 1}
