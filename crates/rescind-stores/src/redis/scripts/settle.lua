-- Puts entries into the log, each with its tag, where it still ends as it did when the tags were computed: readers are shown
-- them from now on. ARGV 4-7: the history, where it was settled, the mark of the last entry, the channel; then for each
-- entry its tag and its scope's field.
local n = (#ARGV - 7) / 2
local entries = redis.call('XRANGE', KEYS[8], '-', '+', 'COUNT', n)
-- The mark names one append on one instance. Where it stands, so does all before it: another instance that took over may
-- have others at these positions.
if h[1] ~= ARGV[4] or h[2] ~= ARGV[5] or #entries ~= n or entries[n][2][14] ~= ARGV[6] then return {head, 0} end
local scopes, newer = 0, 0
for i, entry in ipairs(entries) do
  local tag, field = ARGV[6 + i * 2], ARGV[7 + i * 2]
  -- Names and values in turn: at, scope, lifts, until, reason, actor, mark.
  local e = entry[2]
  redis.call('XADD', KEYS[2], entry[1], 'at', e[2], 'scope', e[4], 'lifts', e[6], 'until', e[8], 'reason', e[10],
    'actor', e[12], 'tag', tag)
  local state = string.match(entry[1], '^%d+') .. ' ' .. e[2] .. ' ' .. e[8] .. (e[6] ~= '' and ' ' .. e[6] or '')
  scopes = scopes + redis.call('HSET', KEYS[3], field, state)
  redis.call('ZADD', KEYS[4], e[8], field)
  if redis.call('HGET', KEYS[9], field) == state then newer = newer + redis.call('HDEL', KEYS[9], field) end
end
local settled = tonumber(h[2]) + n
redis.call('XTRIM', KEYS[8], 'MINID', string.format('%.0f', settled + 1))
head[2], head[3] = string.format('%.0f', settled), ARGV[6 + n * 2]
redis.call('HSET', KEYS[1], 'settled', head[2], 'tag', head[3])
redis.call('HINCRBY', KEYS[1], 'entries', n)
if scopes > 0 then redis.call('HINCRBY', KEYS[1], 'scopes', scopes) end
if newer > 0 then redis.call('HINCRBY', KEYS[1], 'newer', -newer) end
redis.call('PUBLISH', ARGV[7], head[2])
return {head, 1}
