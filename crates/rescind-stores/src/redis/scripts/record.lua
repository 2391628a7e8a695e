return {head, redis.call('HGET', KEYS[5], ARGV[4])}
