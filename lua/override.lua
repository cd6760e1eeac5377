#!lua
-- Put an override of limits in its place, remove one, or list them.
--
-- KEYS  the overrides, a hash: pattern, "ACTION END AUTHOR\nREASON".
-- ARGV  "set", the pattern, the action, for how many seconds, the author, the
--       reason, the most that there may be; or "remove" and the pattern; or "list".
-- Reply: of set, the end, in seconds since the epoch, or "full"; of remove, whether
--        there was one, 1 or 0; of list, each pattern, its value, and how many
--        microseconds are left.
--
-- The end is by the clock of this server.  What has ended is removed by the next call
-- that sets or removes one, and with the last of them the hash expires.

local call = redis.call
local key, verb, pattern = KEYS[1], ARGV[1], ARGV[2]

local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local all = call('HGETALL', key)

local others, last, ended, list = 0, 0, {}, {}
for i = 1, #all, 2 do
	local finish = tonumber(string.match(all[i + 1], '^%S+ (%d+) '))
	local left = finish and finish * 1000000 - now or 0
	if finish and left <= 0 then
		ended[#ended + 1] = all[i]
	else
		list[#list + 1] = all[i]
		list[#list + 1] = all[i + 1]
		list[#list + 1] = string.format('%.0f', left)
		if all[i] ~= pattern then
			others, last = others + 1, math.max(last, finish or math.huge)
		end
	end
end
if verb == 'list' then
	return list
end

local reply
if verb == 'remove' then
	reply = call('HDEL', key, pattern)
else
	if others >= tonumber(ARGV[7]) then
		return 'full'
	end
	reply = time[1] + ARGV[4]
	last = math.max(last, reply)
	call('HSET', key, pattern, string.format('%s %.0f %s\n%s', ARGV[3], reply, ARGV[5], ARGV[6]))
end
for i = 1, #ended do
	if ended[i] ~= pattern then
		call('HDEL', key, ended[i])
	end
end
-- What is no override, and never ends, is for people to remove.
if last > 0 and last < math.huge then
	call('EXPIREAT', key, string.format('%.0f', last + 1))
end
return reply
