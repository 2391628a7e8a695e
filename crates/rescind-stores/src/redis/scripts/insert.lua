-- Writes a session's row: header, newline, tail. Its own end lies a margin behind the one that a sweep obeys.
local function insert(row, due, era, now, position, sid, lengths, tail, absolute, margin)
  local old = redis.call('GET', row)
  if old and string.sub(old, 1, 6) == era then return 0 end
  local text = era .. '0 ' .. now .. ' ' .. position .. ' ' .. now .. ' ' .. lengths .. '\n' .. tail
  local life = tonumber(absolute) + tonumber(margin)
  if life < 2 ^ 50 then redis.call('SET', row, text, 'PX', string.format('%.0f', life)) else redis.call('SET', row, text) end
  redis.call('ZADD', due, string.format('%.0f', tonumber(now) + tonumber(absolute)), sid)
  return 1
end
