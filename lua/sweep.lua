#!lua
-- Remove drained buckets from a hash, some hundred fields a call.
--
-- KEYS  the hash; the lock.
-- ARGV  who calls; how long the lock is held from one call to the next, and from
--       the end of a pass to the next pass, in milliseconds; the cursor; the
--       number of fields to look at; the length of a window in microseconds, 0
--       where the buckets are leaky.
-- Reply: the next cursor ("0": the pass is over), the number of fields looked
--       at, and of those removed; or nil if somebody else holds the lock.
--
-- What is drained is what leaky_bucket.lua and fixed_window.lua take for empty.
-- What is not a bucket is left alone.

local call, find, match, floor = redis.call, string.find, string.match, math.floor
local LARGEST = 9007199254740991
local hash, lock = KEYS[1], KEYS[2]
local caller, step_ms, pass_ms, cursor, count = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local length = tonumber(ARGV[6])

local holder = call('GET', lock)
if holder ~= caller and (holder or cursor ~= '0') then
	return false
end

local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local window = length > 0 and floor(now / length)

local function is_drained(text)
	if window then
		local number, count = match(text, '^(%d+) (%d+)$')
		return number and tonumber(number) < window and tonumber(count) <= LARGEST
	end
	if find(text, '^%d+$') then
		return tonumber(text) <= now
	end
	local empty_at, blocked_until = match(text, '^(%d+) (%d+)$')
	return empty_at and tonumber(empty_at) <= now and tonumber(blocked_until) <= now
end

local page = call('HSCAN', hash, cursor, 'COUNT', count)
local fields, drained, removed = page[2], {}, 0
for i = 1, #fields, 2 do
	if is_drained(fields[i + 1]) then
		removed = removed + 1
		drained[removed] = fields[i]
	end
end
for first = 1, removed, 1000 do
	call('HDEL', hash, unpack(drained, first, math.min(first + 999, removed)))
end

call('SET', lock, caller, 'PX', page[1] == '0' and pass_ms or step_ms)
return {page[1], #fields / 2, removed}
