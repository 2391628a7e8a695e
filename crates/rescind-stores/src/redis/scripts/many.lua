-- Calls of many arguments, in steps: a call takes some thousand at most. One for all is much less work than one for each.
local STEP = 2000
local function sum_of(command, key, list)
  local sum = 0
  for from = 1, #list, STEP do
    sum = sum + redis.call(command, key, unpack(list, from, math.min(from + STEP - 1, #list)))
  end
  return sum
end
local function values_of(key, fields)
  local values = {}
  for from = 1, #fields, STEP do
    local found = redis.call('HMGET', key, unpack(fields, from, math.min(from + STEP - 1, #fields)))
    for i = 1, #found do values[from + i - 1] = found[i] end
  end
  return values
end
