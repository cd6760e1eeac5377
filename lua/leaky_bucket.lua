#!lua
-- The leaky bucket, as in src/limit/bucket.c: the two must agree to the
-- microsecond.  lua/batch.lua, which follows in the same script, calls
-- decide() for every bucket.
--
-- A bucket is "EMPTY_AT" or "EMPTY_AT BLOCKED_UNTIL", microseconds since the
-- epoch in decimal.  All numbers are whole and below 2^53, where Lua's doubles
-- are exact; so is the floor of a quotient of two such numbers.

local find, format, gmatch, match = string.find, string.format, string.gmatch, string.match
local floor, max, tonumber = math.floor, math.max, tonumber

local LARGEST = 9007199254740991

-- %d takes half the time of %.0f, but only where a long of C has 64 bits does
-- it write all of a number.
local ONE, TWO = '%.0f', '%.0f %.0f'
if format('%d', LARGEST) == '9007199254740991' then
	ONE, TWO = '%d', '%d %d'
end

-- The two times in ${text} (false: no such bucket), or nil if it is not ours.
-- Adding 0 makes a number of digits, in half the time of tonumber().
local function times(text)
	if not text then
		return 0, 0
	end
	local empty_at, blocked_until = text, 0
	if not find(text, '^%d+$') then
		empty_at, blocked_until = match(text, '^(%d+) (%d+)$')
		if not empty_at then
			return nil
		end
	end
	empty_at, blocked_until = empty_at + 0, blocked_until + 0
	if empty_at <= LARGEST and blocked_until <= LARGEST then
		return empty_at, blocked_until
	end
end

-- Consume ${amount} drops, ${count} times in a row.
local function consume(fill, block, amount, count, capacity, recharge, longest)
	if amount == 0 or amount > capacity then
		return fill, block
	end
	local full = capacity * recharge
	if fill > full then
		fill = full
	end
	if block > longest then
		block = longest
	end
	if amount < 0 then
		if amount * count <= -capacity then
			return 0, block
		end
		return max(0, fill + amount * count * recharge), block
	end
	if block > 0 then
		return fill, block
	end
	local cost = amount * recharge
	local fit = floor((full - fill) / cost)
	if fit < count then
		return fill + fit * cost, longest
	end
	return fill + count * cost, 0
end

-- What the bucket ${text} is to be after ${ops}, an amount or words of the form
-- "AMOUNT", "AMOUNT*COUNT" (consume) or "r" (reset): its new text, '' for none,
-- or nil to leave it alone.
local function decide(text, ops, now, capacity, recharge, longest)
	local empty_at, blocked_until = times(text)
	if not empty_at then
		return nil
	end
	local held_fill = empty_at > now and empty_at - now or 0
	local held_block = blocked_until > now and blocked_until - now or 0
	local fill, block = held_fill, held_block
	local amount = tonumber(ops)
	if amount then
		fill, block = consume(fill, block, amount, 1, capacity, recharge, longest)
	else
		for op in gmatch(ops, '%S+') do
			if op == 'r' then
				fill, block = 0, 0
			else
				local n, count = match(op, '^(-?%d+)%*?(%d*)$')
				fill, block = consume(fill, block, tonumber(n), tonumber(count) or 1,
					capacity, recharge, longest)
			end
		end
	end
	if fill == held_fill and block == held_block then
		return nil
	end
	if block > 0 then
		return format(TWO, fill > 0 and now + fill or 0, now + block)
	end
	return fill > 0 and format(ONE, now + fill) or ''
end
