-- The states of the scopes whose fields are ARGV 4 and on.
local states = {}
for i = 4, #ARGV do states[i - 3] = redis.call('HGET', KEYS[3], ARGV[i]) end
return {head, states}
