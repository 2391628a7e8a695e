-- Places the entries of calls behind the last position that is taken. They are unsettled: no reader is shown them before
-- settle.lua has put them into the log. ARGV 4: the mark of this batch. 5: how many calls; then for each call how many
-- entries, and for each entry: the scope's field, lifted position or '', end, scope, reason, actor.
-- Answers the entries' time, and for each call its first position and the end of each entry, or 0 and which lift does
-- not fit.

-- Times reach 2^63 - 1, further than a number counts exactly here, so they stay digits.
local function later(a, b)
  if #a ~= #b then return #a > #b and a or b end
  return a > b and a or b
end
local function plus(time, span)
  if span == 0 then return time end
  local low = tonumber(string.sub(time, -9)) + span
  local rest = low % 1000000000
  local high = (tonumber(string.sub(time, 1, -10)) or 0) + (low - rest) / 1000000000
  local sum = high > 0 and string.format('%.0f%09.0f', high, rest) or string.format('%.0f', rest)
  local most = '9223372036854775807'
  return later(sum, most) == most and sum or most
end

local last = tonumber(h[5])
local calls = tonumber(ARGV[5])
-- What nobody can make safe must not pile up: whoever connects settles it before anything else.
if last - tonumber(h[2]) > 100000 then return redis.error_reply('BACKLOG too many entries are not settled') end
if last + (#ARGV - 5 - calls) / 6 > 2 ^ 53 - 1 then return redis.error_reply('LOGFULL no position is left') end
-- As Entry::new: never before the predecessor's time, and remembered longer by as much as the clock is behind that.
local at = later(now, h[4])
local behind = tonumber(at) - tonumber(now)
local fields, a = {}, 6
for _ = 1, calls do
  for i = 0, tonumber(ARGV[a]) - 1 do fields[#fields + 1] = ARGV[a + 1 + i * 6] end
  a = a + 1 + tonumber(ARGV[a]) * 6
end
local newer, settled = values_of(KEYS[9], fields), values_of(KEYS[3], fields)
-- What this batch has made of scopes, entries passed over.
local made, before, answers = {}, 0, {}
a = 6
for call = 1, calls do
  local n = tonumber(ARGV[a])
  a = a + 1
  -- First what every entry becomes, then the writing: a lift that does not fit refuses its whole call.
  local states, ends, unfit = {}, {}, nil
  for i = 1, n do
    local b = a + (i - 1) * 6
    local field, of = ARGV[b], ARGV[b + 1]
    local state = states[field] or made[field] or newer[before + i] or settled[before + i]
    local seq, kept, lifted
    if state then seq, kept, lifted = string.match(state, '^(%d+) %d+ (%d+) ?(%d*)$') end
    if of ~= '' and (seq ~= of or lifted ~= '') then
      unfit = i - 1
      break
    end
    ends[i] = plus(ARGV[b + 2], behind)
    -- No shorter than what it supersedes: what that covered, it covers too.
    if kept then ends[i] = later(ends[i], kept) end
    states[field] = string.format('%.0f', last + i) .. ' ' .. at .. ' ' .. ends[i] .. (of ~= '' and ' ' .. of or '')
  end
  if unfit then
    answers[call] = {0, unfit}
  else
    for i = 1, n do
      local b = a + (i - 1) * 6
      redis.call('XADD', KEYS[8], string.format('%.0f-0', last + i), 'at', at, 'scope', ARGV[b + 3], 'lifts', ARGV[b + 1],
        'until', ends[i], 'reason', ARGV[b + 4], 'actor', ARGV[b + 5], 'mark', ARGV[4])
    end
    for field, state in pairs(states) do made[field] = state end
    answers[call] = {string.format('%.0f', last + 1), ends}
    last = last + n
  end
  before = before + n
  a = a + n * 6
end
if last > tonumber(h[5]) then
  local list = {}
  for field, state in pairs(made) do
    list[#list + 1] = field
    list[#list + 1] = state
  end
  head[5] = string.format('%.0f', last)
  local more = sum_of('HSET', KEYS[9], list)
  redis.call('HSET', KEYS[1], 'seq', head[5], 'at', at, 'newer', string.format('%.0f', tonumber(h[12]) + more))
end
return {head, at, answers}
