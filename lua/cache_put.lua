-- Store a response of an upstream; where there are too many, the targets go that
-- were not asked for for the longest time.
--
-- KEYS  the hash of the responses for its target; the sorted set of all targets, by
--       the time of their last use.
-- ARGV  the target's name in that set; the field: "", or what selects the response
--       among several; what Vary names, "" for nothing; the response; how long it
--       is kept, in milliseconds; the most targets; the most responses for one;
--       what the names of all hashes start with, which the target's follows.
-- Reply: the number of targets that had to go.
--
-- A hash lives as long as the last of its responses, and the set as long as the last
-- of all.  A target whose hash has expired leaves the set as one that is not used.
-- Limits are decided in the same Redis: where its memory is full, nothing is stored, and
-- a tenth of the targets goes.

local call = redis.call
local hash, set = KEYS[1], KEYS[2]
local member, field, names, value = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local life, most, variants = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local prefix = ARGV[8]

-- Drop the targets that were not asked for for the longest time, at most 100.
local function drop(count)
	local oldest, gone = call('ZPOPMIN', set, math.min(count, 100)), 0
	for i = 1, #oldest, 2 do
		gone = gone + call('DEL', prefix .. oldest[i])
	end
	return gone
end

-- First what a Redis whose memory is full refuses: it looks no more after a write.
local now = call('TIME')
local noted = redis.pcall('ZADD', set, now[1] * 1000000 + now[2], member)
if type(noted) == 'table' then
	drop(math.floor(call('ZCARD', set) / 10))
	return noted
end
if names == '' or call('HLEN', hash) > variants then
	call('DEL', hash)
end
call('HSET', hash, field, value)
if names ~= '' then
	call('HSET', hash, 'vary', names)
	call('HDEL', hash, '')
end
for i = 1, 2 do
	if call('PTTL', KEYS[i]) < life then
		call('PEXPIRE', KEYS[i], life)
	end
end

return drop(math.max(call('ZCARD', set) - most, 0))
