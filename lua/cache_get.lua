-- Read a response of an upstream that is stored, and note that it was used.
--
-- KEYS  the hash of the responses for one target; the sorted set of all targets, by
--       the time of their last use.
-- ARGV  the target's name in that set; the field: "", or what selects a response
--       among several; the most bytes that the caller takes.
-- Reply: the response; nil: there is none, or it is longer; or, without a field, an
--       array of what Vary names, if there are several.

local call = redis.call
local hash, set = KEYS[1], KEYS[2]
local member, field, most = ARGV[1], ARGV[2], tonumber(ARGV[3])

if field == '' then
	local names = call('HGET', hash, 'vary')
	if names then
		return {names}
	end
end
if call('HSTRLEN', hash, field) > most then
	return false
end
local value = call('HGET', hash, field)
if value then
	local now = call('TIME')
	-- A Redis whose memory is full may refuse it.
	redis.pcall('ZADD', set, 'XX', now[1] * 1000000 + now[2], member)
end
return value
