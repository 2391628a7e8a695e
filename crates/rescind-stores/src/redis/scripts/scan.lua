-- About ARGV 5 scopes and their states from the cursor ARGV 4 on, and the next cursor.
local found = redis.call('HSCAN', KEYS[3], ARGV[4], 'COUNT', ARGV[5])
return {head, found[1], found[2]}
