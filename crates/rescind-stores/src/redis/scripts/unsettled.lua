-- Up to ARGV 4 entries that are not settled.
return {head, redis.call('XRANGE', KEYS[8], '-', '+', 'COUNT', ARGV[4])}
