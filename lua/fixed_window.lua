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

-- What the bucket ${text} is to be after ${ops}, words of the form "AMOUNT",
-- "AMOUNT*COUNT" (consume) or "r" (reset): its new text, '' for none, or nil
-- to leave it alone.
local function decide(text, ops, now, capacity, length)
	local window = floor(now / length)
	local held_window, held = window, 0
	if text then
		local number, count = match(text, '^(%d+) (%d+)$')
		held_window, held = tonumber(number), tonumber(count)
		if not number or held_window > LARGEST or held > LARGEST then
			return nil
		end
		if held_window < window then
			held = 0
		end
	end
	local level, changes = held, false
	for op in gmatch(ops, '%S+') do
		if op == 'r' then
			level = 0
		else
			local amount, count = match(op, '^(-?%d+)%*?(%d*)$')
			amount = tonumber(amount)
			level = consume(level, amount, tonumber(count) or 1, capacity)
			changes = changes or (amount ~= 0 and amount <= capacity)
		end
	end
	if level == held and (held == 0 or held_window == window or not changes) then
		return nil
	end
	return level > 0 and format('%.0f %.0f', window, level) or ''
end
