-- Which of the shards (KEYS: their ends) have a session that ended before ARGV 1.
local shards = {}
for i, due in ipairs(KEYS) do
  if #redis.call('ZRANGEBYSCORE', due, '-inf', '(' .. ARGV[1], 'LIMIT', 0, 1) > 0 then shards[#shards + 1] = i - 1 end
end
return shards
