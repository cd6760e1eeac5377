-- Note that stored responses of an upstream were used.
--
-- KEYS  the sorted set of all targets, by the time of their last use.
-- ARGV  the targets' names in that set, in the order of their use.
-- Reply: nothing.

local now = redis.call('TIME')
local last = now[1] * 1000000 + now[2]
local uses = {}
for i = 1, #ARGV do
	uses[2 * i - 1] = last - #ARGV + i
	uses[2 * i] = ARGV[i]
end
-- A Redis whose memory is full may refuse it.
redis.pcall('ZADD', KEYS[1], 'XX', unpack(uses))
return false
