-- Puts entries into the log, each with its tag, where it still ends as it did when the tags were computed: readers are shown
-- them from now on. ARGV 4-7: the history, where it was settled, the mark of the last entry, the channel; then for each
-- entry its tag and its scope's field.
local n = (#ARGV - 7) / 2
local entries = redis.call('XRANGE', KEYS[8], '-', '+', 'COUNT', n)
-- The mark names one append on one instance. Where it stands, so does all before it: another instance that took over may
-- have others at these positions.
if h[1] ~= ARGV[4] or h[2] ~= ARGV[5] or #entries ~= n or entries[n][2][14] ~= ARGV[6] then return {head, 0} end
-- First what an ACL or an old server may refuse: a script that ends half way is not undone.
local settled = tonumber(h[2]) + n
redis.call('XTRIM', KEYS[8], 'MINID', string.format('%.0f', settled + 1))
local fields, states, dues, list = {}, {}, {}, {}
for i, entry in ipairs(entries) do
  local field = ARGV[7 + i * 2]
  -- Names and values in turn: at, scope, lifts, until, reason, actor, mark.
  local e = entry[2]
  redis.call('XADD', KEYS[2], entry[1], 'at', e[2], 'scope', e[4], 'lifts', e[6], 'until', e[8], 'reason', e[10],
    'actor', e[12], 'tag', ARGV[6 + i * 2])
  fields[i] = field
  states[i] = string.match(entry[1], '^%d+') .. ' ' .. e[2] .. ' ' .. e[8] .. (e[6] ~= '' and ' ' .. e[6] or '')
  list[i * 2 - 1], list[i * 2] = field, states[i]
  dues[i * 2 - 1], dues[i * 2] = e[8], field
end
local scopes = sum_of('HSET', KEYS[3], list)
sum_of('ZADD', KEYS[4], dues)
-- A scope that has a newer entry, not settled, stays there.
local newest, done = values_of(KEYS[9], fields), {}
for i, state in ipairs(states) do
  if newest[i] == state then done[#done + 1] = fields[i] end
end
local newer = sum_of('HDEL', KEYS[9], done)
head[2], head[3] = string.format('%.0f', settled), ARGV[6 + n * 2]
local function moved(count, by) return string.format('%.0f', tonumber(count) + by) end
redis.call('HSET', KEYS[1], 'settled', head[2], 'tag', head[3], 'entries', moved(h[10], n), 'scopes', moved(h[9], scopes),
  'newer', moved(h[12], -newer))
redis.call('PUBLISH', ARGV[7], h[1] .. head[2])
return {head, 1}
