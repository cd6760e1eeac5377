-- Remove drained buckets from a hash, some hundred fields a call, and, after the
-- clock was set back, what is too much in the others.  The algorithm, prepare()
-- and tidy(), comes before this text in the same script.
--
-- KEYS  the hash; the lock; the key that has the time at which the last pass over
--       any hash began, in microseconds.
-- ARGV  the caller's name; how long the lock is held from one call to the next, and
--       from the end of a pass to the next pass, in milliseconds; the cursor; the
--       number of fields to look at; by how many microseconds the clock was set
--       back, 0 if it was not; what a bucket holds at least, in microseconds, if
--       it was written before that; and the parameters of the limit.
-- Reply: the next cursor ("0": the pass is over; "": another caller holds the
--       lock), the number of fields looked at, and of those removed; seconds and
--       microseconds of the server's clock; and, when a pass begins that does not
--       trim, by how many microseconds the last one began later than now: the
--       clock was set back, perhaps while no daemon ran.  Each such pass says so
--       until one trims.
--
-- A pass that trims takes the lock from one that does not; its name in the lock
-- ends in "!".  The sweep leaves alone what is not a bucket.

local hash, lock, mark = KEYS[1], KEYS[2], KEYS[3]
local caller, step_ms, pass_ms, cursor, count = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local back, before = tonumber(ARGV[6]), tonumber(ARGV[7])

prepare(ARGV, 8)
local me = back > 0 and caller .. '!' or caller
local holder = call('GET', lock)
local is_free = not holder or holder == caller or holder == caller .. '!'
	or back > 0 and not match(holder, '!$')
local begins = cursor == '0'

-- A lock that was taken before the clock was set back is held until the clock is
-- where it was.  So the reply says how far ahead it is, also to other callers.
local last = begins and back == 0 and tonumber(call('GET', mark) or 0) or 0
local ahead = last <= LARGEST and last - now > 1000000 and last - now or 0

if not (holder == me or begins and is_free) then
	return {'', 0, 0, time[1], time[2], ahead}
end
if begins and ahead == 0 then
	call('SET', mark, format(ONE, now))
end

local page = call('HSCAN', hash, cursor, 'COUNT', count)
local fields, drained, removed, changed, changes = page[2], {}, 0, {}, 0
for i = 1, #fields, 2 do
	local new = tidy(fields[i + 1], back, before)
	if new == '' then
		removed = removed + 1
		drained[removed] = fields[i]
	elseif new then
		changed[changes + 1], changed[changes + 2] = fields[i], new
		changes = changes + 2
	end
end
for first = 1, removed, 1000 do
	call('HDEL', hash, unpack(drained, first, math.min(first + 999, removed)))
end
for first = 1, changes, 1000 do
	call('HSET', hash, unpack(changed, first, math.min(first + 999, changes)))
end

call('SET', lock, me, 'PX', page[1] == '0' and pass_ms or step_ms)
return {page[1], #fields / 2, removed, time[1], time[2], ahead}
