-- Every script of the log's slot begins with this: the store's time, and the head, which is made where it is missing.
-- KEYS 1-9: head, log, scopes, due, records, ids, ends, unsettled, newer. ARGV 1-3: the time ('' asks the server), the name
-- that a new history would get, and that history's first tag.
local now = ARGV[1]
if now == '' then
  local t = redis.call('TIME')
  now = t[1] .. string.format('%03d', math.floor(tonumber(t[2]) / 1000))
end
-- In turn: the history, where it is settled and the tag there, the newest entry's time, the last position that is taken,
-- where the log begins and the tag there, the era, how many rows the structures have, the layout.
local h = redis.call('HMGET', KEYS[1], 'inc', 'settled', 'tag', 'at', 'seq', 'base', 'basetag', 'era', 'scopes', 'entries',
  'records', 'newer', 'layout')
if h[1] and h[13] ~= '2' then
  local which = tonumber(h[13] or '1') < 2 and 'OLDLAYOUT' or 'NEWLAYOUT'
  return redis.error_reply(which .. ' the head is of layout ' .. (h[13] or '1'))
end
-- A structure that was evicted or deleted must never read as "nothing revoked": each is counted in the head, and where
-- one count does not fit, what is left is worth nothing. The history begins anew under another name, so that every node
-- finds out, and in another era, so that sessions whose cut-offs are lost are not found any more.
if not h[1]
  or redis.call('HLEN', KEYS[3]) ~= tonumber(h[9]) or redis.call('ZCARD', KEYS[4]) ~= tonumber(h[9])
  or redis.call('XLEN', KEYS[2]) ~= tonumber(h[10])
  or redis.call('HLEN', KEYS[5]) ~= tonumber(h[11]) or redis.call('ZCARD', KEYS[6]) ~= tonumber(h[11])
  or redis.call('XLEN', KEYS[8]) ~= tonumber(h[5]) - tonumber(h[2]) or redis.call('HLEN', KEYS[9]) ~= tonumber(h[12]) then
  redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9])
  h = {ARGV[2], '0', ARGV[3], '0', '0', '0', ARGV[3], string.sub(ARGV[2], 1, 6), '0', '0', '0', '0', '2'}
  redis.call('HSET', KEYS[1], 'inc', h[1], 'settled', h[2], 'tag', h[3], 'at', h[4], 'seq', h[5], 'base', h[6],
    'basetag', h[7], 'era', h[8], 'scopes', h[9], 'entries', h[10], 'records', h[11], 'newer', h[12], 'layout', h[13])
end
local head = {h[1], h[2], h[3], now, h[5], h[8]}
