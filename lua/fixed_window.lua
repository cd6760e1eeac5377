#!lua
-- The fixed window, as in src/limit/window.c: the two must agree to the
-- microsecond.  lua/batch.lua, which follows in the same script, calls
-- decide() for every bucket.
--
-- A bucket is "WINDOW COUNT": the number of the window since the epoch, and the
-- drops counted in it.  All numbers are whole and below 2^53.

local format, gmatch, match = string.format, string.gmatch, string.match
local floor, max, min, tonumber = math.floor, math.max, math.min, tonumber

local LARGEST = 9007199254740991

-- %d takes half the time of %.0f, but only where a long of C has 64 bits does
-- it write all of a number.
local TWO = '%.0f %.0f'
if format('%d', LARGEST) == '9007199254740991' then
	TWO = '%d %d'
end

-- The two numbers in ${text} (false: no such bucket), or nil if it is not ours.
-- Adding 0 makes a number of digits, in half the time of tonumber().
local function numbers(text)
	if not text then
		return 0, 0
	end
	local window, count = match(text, '^(%d+) (%d+)$')
	if not window then
		return nil
	end
	window, count = window + 0, count + 0
	if window <= LARGEST and count <= LARGEST then
		return window, count
	end
end

-- Consume ${amount} drops, ${count} times in a row.
local function consume(level, amount, count, capacity)
	if amount == 0 or amount > capacity then
		return level
	end
	level = min(level, capacity)
	if amount < 0 then
		return max(0, level + amount * count)
	end
	return level + amount * min(count, floor((capacity - level) / amount))
end

-- What the bucket ${text} is to be after ${ops}, an amount or words of the form
-- "AMOUNT", "AMOUNT*COUNT" (consume) or "r" (reset): its new text, '' for none,
-- or nil to leave it alone.
local function decide(text, ops, now, capacity, length)
	local held_window, held = numbers(text)
	if not held_window then
		return nil
	end
	local window = floor(now / length)
	if held_window < window then
		held = 0
	end
	local level, changes = held, false
	local amount = tonumber(ops)
	if amount then
		level = consume(level, amount, 1, capacity)
		changes = amount ~= 0 and amount <= capacity
	else
		for op in gmatch(ops, '%S+') do
			if op == 'r' then
				level = 0
			else
				local n, count = match(op, '^(-?%d+)%*?(%d*)$')
				n = tonumber(n)
				level = consume(level, n, tonumber(count) or 1, capacity)
				changes = changes or (n ~= 0 and n <= capacity)
			end
		end
	end
	if level == held and (held == 0 or held_window == window or not changes) then
		return nil
	end
	return level > 0 and format(TWO, window, level) or ''
end
