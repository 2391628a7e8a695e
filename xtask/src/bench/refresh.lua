-- For wrk, one thread: each answer's refresh token goes into a queue, each request takes one out. A token is sent once.
local queue, first, last = {}, 1, 0

function init(args)
  for token in io.lines(args[1]) do
    last = last + 1
    queue[last] = token
  end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end

function request()
  local token = queue[first]
  queue[first] = nil
  first = first + 1
  return wrk.format(nil, nil, nil, "grant_type=refresh_token&refresh_token=" .. token)
end

function response(status, headers, body)
  last = last + 1
  queue[last] = string.match(body, '"refresh_token":"([^"]+)"')
end
