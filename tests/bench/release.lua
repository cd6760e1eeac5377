-- What releases that hold.lua holds.
-- KEYS  the set.
-- ARGV  the name of the holder.
-- Reply: 1 if it was there, else 0.

return redis.call('ZREM', KEYS[1], ARGV[1])
