-- The entry of the log whose id is ARGV 4.
return {head, redis.call('XRANGE', KEYS[2], ARGV[4], ARGV[4])}
