-- Every script of the log's slot begins with this: the store's time, and the head, which is made where it is missing.
-- KEYS 1-7: head, log, scopes, due, records, ids, ends. ARGV 1-3: the time ('' asks the server), the name that a new
-- history would get, and that history's first tag.
local now = ARGV[1]
if now == '' then
  local t = redis.call('TIME')
  now = t[1] .. string.format('%03d', math.floor(tonumber(t[2]) / 1000))
end
local h = redis.call('HMGET', KEYS[1], 'inc', 'seq', 'tag', 'at', 'rev', 'base', 'basetag', 'era', 'scopes', 'entries', 'records')
-- A structure that was evicted or deleted must never read as "nothing revoked": each is counted in the head, and where
-- one count does not fit, what is left is worth nothing. The history begins anew under another name, so that every node
-- finds out, and in another era, so that sessions whose cut-offs are lost are not found any more.
if not h[11]
  or redis.call('HLEN', KEYS[3]) ~= tonumber(h[9]) or redis.call('ZCARD', KEYS[4]) ~= tonumber(h[9])
  or redis.call('XLEN', KEYS[2]) ~= tonumber(h[10])
  or redis.call('HLEN', KEYS[5]) ~= tonumber(h[11]) or redis.call('ZCARD', KEYS[6]) ~= tonumber(h[11]) then
  redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7])
  h = {ARGV[2], '0', ARGV[3], '0', '0', '0', ARGV[3], string.sub(ARGV[2], 1, 6), '0', '0', '0'}
  redis.call('HSET', KEYS[1], 'inc', h[1], 'seq', h[2], 'tag', h[3], 'at', h[4], 'rev', h[5], 'base', h[6],
    'basetag', h[7], 'era', h[8], 'scopes', h[9], 'entries', h[10], 'records', h[11])
end
local head = {h[1], h[2], h[3], now, h[4], h[5], h[8]}
