-- KEYS: row, the shard's ends. ARGV: era, time, position, id, lengths, tail, absolute life, margin.
return insert(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8])
