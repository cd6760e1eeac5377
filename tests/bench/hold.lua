-- The usual semaphore of scripts that are called directly: a sorted set a key.
-- KEYS  the set.
-- ARGV  the capacity; the lease in microseconds; the name of the holder.
-- Reply: 1 if there was room, else 0.

local time = redis.call('TIME')
local now, span = time[1] * 1000000 + time[2], tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
	return 0
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + span), ARGV[3])
redis.call('PEXPIRE', KEYS[1], span / 1000)
return 1
