-- Rows of sessions (KEYS 10 and on, their ids from ARGV 4 on), and the states of the four scopes of each, of one moment.
local rows, states = {}, {}
for i = 10, #KEYS do
  local row = redis.call('GET', KEYS[i])
  rows[#rows + 1] = row
  if row then
    local to = string.find(row, '\n', 7, true)
    local subject, client = string.match(string.sub(row, 7, to - 1), '^%d+ %d+ %d+ %d+ (%d+) (%d+)$')
    local middle = to + tonumber(subject)
    for _, scope in ipairs({'s' .. ARGV[i - 6], 'u' .. string.sub(row, to + 1, middle),
      'c' .. string.sub(row, middle + 1, middle + tonumber(client)), 'a'}) do
      states[#states + 1] = redis.call('HGET', KEYS[3], scope)
    end
  else
    for _ = 1, 4 do states[#states + 1] = false end
  end
end
return {head, rows, states}
