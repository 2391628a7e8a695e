-- A server that was made a replica keeps our connection and goes on answering reads, however old what it has is: a session
-- that it has not heard of would be unknown, and its cut-offs too. A write that changes nothing is refused there. Whatever
-- else refuses it is the writers' matter.
local writable = redis.pcall('HDEL', KEYS[1], '')
if type(writable) == 'table' and string.find(writable.err, '^READONLY') then return writable end
