-- Forget what is stored for some targets.
--
-- KEYS  the sorted set of all targets; the hashes of their responses.
-- ARGV  the names in the set that go, one a hash.
-- Reply: the number of targets that had something stored.

local gone = 0
for i = 2, #KEYS do
	gone = gone + redis.call('DEL', KEYS[i])
	redis.call('ZREM', KEYS[1], ARGV[i - 1])
end
return gone
