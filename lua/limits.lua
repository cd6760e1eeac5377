#!lua flags=no-writes
-- Read a sorted set as a list, if it is not the one that the caller knows.
--
-- KEYS  the sorted set.
-- ARGV  the digest that the caller knows, "" for none; the most members and the
--       most bytes that it takes.
-- Reply: the digest and, if that differs from the known one, the number of the set,
--       an integer, if it is the last one in the history (load.lua) and this user
--       may read that; then all members in the order of their scores; or an error
--       if they are too many.
--
-- The digest is that of the members with their lengths before them, so that no
-- two lists have the same text.  The script reads them piece by piece: it refuses
-- a set that is too large before all of it is in memory.

local call = redis.call
local key, known, most, bytes = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local PIECE = 100

local count = call('ZCARD', key)
if count > most then
	return redis.error_reply('TOOLARGE more than ' .. ARGV[2] .. ' members')
end

local reply, parts, total = {''}, {}, 0
for first = 0, count - 1, PIECE do
	local piece = call('ZRANGE', key, first, first + PIECE - 1)
	for i = 1, #piece do
		local member = piece[i]
		total = total + #member
		if total > bytes then
			return redis.error_reply('TOOLARGE more than ' .. ARGV[3] .. ' bytes')
		end
		reply[first + i + 1] = member
		parts[first + i] = #member .. ':' .. member
	end
end

local digest = redis.sha1hex(table.concat(parts))
if digest == known then
	return {digest}
end
reply[1] = digest

-- A history that cannot be read must not keep the limits from a daemon.
local last = redis.pcall('HMGET', key .. ':history', 'version', 'digest', 'last')
if not last.err and last[1] == '1' and last[2] == digest and tonumber(last[3]) then
	table.insert(reply, 2, tonumber(last[3]))
end
return reply
