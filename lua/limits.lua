#!lua flags=no-writes
-- Read a sorted set as a list, if it is not the one that the caller knows.
--
-- KEYS  the sorted set.
-- ARGV  the digest that the caller knows, with the mark of the overrides behind it,
--       "" for none; the most members and the most bytes that it takes.
-- Reply: what the caller knows, if that is still so; else the digest, the number of the
--       set, an integer, if it is the last one in the history (load.lua) and this user
--       may read that; then all members in the order of their scores; and, if there
--       are overrides (override.lua), a list: their mark, and for each its pattern,
--       its value, and how many microseconds are left of it; or an error if the
--       members are too many.
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

-- The overrides that have not ended, the special patterns before the others: "*" and
-- "?" come before letters.  What cannot be read must not keep the limits from a daemon.
local function read_overrides()
	local name, most = key .. ':overrides', 100
	local function explain(what)
		return {redis.sha1hex(what), what, '', '0'}
	end
	local count = redis.pcall('HLEN', name)
	if count == 0 then
		return nil
	elseif type(count) == 'number' and count > most then
		return explain('more than ' .. most)
	end
	local all, time = redis.pcall('HGETALL', name), redis.pcall('TIME')
	local err = type(count) == 'table' and count.err or all.err or time.err
	if err then
		return explain(err)
	end
	local values, patterns, texts = {}, {}, {}
	local now = time[1] * 1000000 + time[2]
	for i = 1, #all, 2 do
		local finish = tonumber(string.match(all[i + 1], '^%S+ (%d+) '))
		local left = finish and finish * 1000000 - now or 0
		if not finish or left > 0 then
			patterns[#patterns + 1] = all[i]
			values[all[i]] = {string.sub(all[i + 1], 1, 500), string.format('%.0f', left)}
		end
	end
	table.sort(patterns, function(a, b) return a > b end)
	local list = {''}
	for i = 1, #patterns do
		local pattern = patterns[i]
		local value = values[pattern]
		texts[i] = #pattern .. ':' .. pattern .. #value[1] .. ':' .. value[1]
		list[#list + 1] = string.sub(pattern, 1, 500)
		list[#list + 1] = value[1]
		list[#list + 1] = value[2]
	end
	list[1] = redis.sha1hex(table.concat(texts))
	return #patterns > 0 and list or nil
end

local digest = redis.sha1hex(table.concat(parts))
local overrides = read_overrides()
if digest .. (overrides and overrides[1] or '') == known then
	return {known}
end
reply[1] = digest
reply[#reply + 1] = overrides

-- A history that cannot be read must not keep the limits from a daemon.
local last = redis.pcall('HMGET', key .. ':history', 'version', 'digest', 'last')
if not last.err and last[1] == '1' and last[2] == digest and tonumber(last[3]) then
	table.insert(reply, 2, tonumber(last[3]))
end
return reply
