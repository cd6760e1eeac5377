-- The leaky bucket, as in src/limit/leaky_bucket.c: the two must agree to the
-- microsecond.
--
-- A bucket is "EMPTY_AT[.TICKS][ BLOCKED_UNTIL[*STRIKES]][/RECHARGE]": the times in
-- microseconds since the epoch in decimal, the recharge under which it was written
-- in base 62.  Earlier versions wrote no recharge.  Where a limit's recharge is no
-- whole number of microseconds, what a bucket holds is counted in thousandths of
-- them, ticks, three digits of which follow EMPTY_AT.

local PARAMETERS = 4
local LONGEST = 64 -- bytes of a bucket: three numbers, and zeros before them

local capacity, recharge, longest, full
local lease -- none have names
local growth, memory -- nil, and of no meaning, if blocks do not grow
local ticks -- in a microsecond: 1 or 1000
local mine  -- the end of a text that was written under this recharge
local one   -- the format of such a text, if ticks are microseconds

-- A block is a number to all functions: its microseconds, 0 for none.  Where blocks
-- grow, it is 64 * (its microseconds, which are negative once it is over, and the
-- memory) and the number of blocks in a row; 0 once that is forgotten.
-- ${growth}.strike makes one the next one, and ${growth}.most is the longest, the
-- number aside.

-- From now on, the limit is that with the parameters from ${argv}[at] on: the
-- capacity, the recharge, the block, or "BLOCK GROWTH MAX MEMORY", and how a text
-- ends under this recharge.
-- That is "" for limits that come with requests: their buckets hold time, whatever
-- the recharge under which it was written.
local function prepare(argv, at)
	capacity, recharge, longest = argv[at] + 0, argv[at + 1] + 0, tonumber(argv[at + 2])
	growth = nil
	if not longest then
		local first, factor, most, span =
			match(argv[at + 2], '^(%d+) (%d+) (%d+) (%d+)$')
		first, factor, most, memory = first + 0, factor + 0, most + 0, span + 0
		growth = {most = (most + memory) * 64}
		function growth.strike(block)
			local strikes, length = block % 64, first
			for _ = 1, strikes do
				if length > floor(most / factor) then
					length = most
					break
				end
				length = length * factor
			end
			return (length + memory) * 64 + math.min(strikes + 1, 63)
		end
	end
	ticks = 1
	if recharge % 1 ~= 0 then
		recharge, ticks = floor(recharge * 1000 + 0.5), 1000
	end
	full, mine = capacity * recharge, argv[at + 3]
	one = ONE .. mine
end

-- What the bucket ${text} holds, in ticks, and its block, in microseconds; and
-- whether it was written under another recharge.  Nil if it is not a bucket's.
local function read_any(text)
	local SPAN = 4503599627370495
	local ceil, min = math.ceil, math.min

	-- A number in base 62, with the digits 0-9 A-Z a-z; nil if it is not from 1
	-- to ${most}.
	local function expand(digits, most)
		local number = 0
		for i = 1, #digits do
			local digit = string.byte(digits, i)
			digit = digit - (digit < 58 and 48 or digit < 91 and 55 or 61)
			number = number * 62 + digit
			if number > most then
				return nil
			end
		end
		return number > 0 and number or nil
	end

	-- left * to / from, rounded up, where the product is too large: bit by bit.
	local function divide(left, to, from)
		local part, rest, bits, bit = 0, 0, to, 4503599627370496
		while bit >= 1 do
			part, rest = part * 2, rest * 2
			if rest >= from then
				part, rest = part + 1, rest - from
			end
			if bits >= bit then
				bits, rest = bits - bit, rest + left
				if rest >= from then
					part, rest = part + 1, rest - from
				end
			end
			bit = bit / 2
		end
		return rest > 0 and part + 1 or part
	end

	-- span * to / from, rounded up.
	local function scale(span, to, from)
		local whole = floor(span / from)
		if whole > floor(SPAN / to) then
			return SPAN
		end
		local left = span - whole * from
		local part = left * to
		part = part <= LARGEST and ceil(part / from) or divide(left, to, from)
		return min(whole * to + part, SPAN)
	end

	local empty_at, rest = match(text, '^(%d+)(.*)$')
	local empty_ticks, its_ticks, blocked_until, under, strikes = 0, 1, 0, nil, nil
	if rest and match(rest, '^%.') then
		empty_ticks, rest = match(rest, '^%.(%d%d%d)(.*)$')
		its_ticks = 1000
	end
	if rest and match(rest, '^ ') then
		blocked_until, rest = match(rest, '^ (%d+)(.*)$')
		if rest and match(rest, '^%*') then
			strikes, rest = match(rest, '^%*(%d+)(.*)$')
		end
	end
	if not rest then
		return nil
	end
	if rest ~= '' then
		local digits = match(rest, '^/(%w+)$')
		under = digits and expand(digits, its_ticks == 1 and SPAN or 999999)
		if not under then
			return nil
		end
	end
	empty_at, blocked_until = empty_at + 0, blocked_until + 0
	if empty_at > LARGEST or blocked_until > LARGEST then
		return nil
	end
	strikes = strikes and strikes + 0
	if strikes and (strikes < 1 or strikes > 63 or under and under >= 35184372088832) then
		return nil
	end
	local block = blocked_until > now and blocked_until - now or 0
	if growth then
		-- No block that grows is as long as 2^46 microseconds.
		block = blocked_until > 0 and min(blocked_until - now, 70368744177664) + memory or 0
		block = block > 0 and block * 64 + (strikes or 1) or 0
	end
	local fill = 0
	if empty_at - now >= floor(SPAN / its_ticks) then
		fill = SPAN
	elseif empty_at >= now then
		fill = (empty_at - now) * its_ticks + empty_ticks
	end
	local is_foreign = mine ~= '' and (under ~= recharge or its_ticks ~= ticks)
	if under and is_foreign then
		fill = scale(fill, recharge, under)
	elseif its_ticks ~= ticks then
		fill = scale(fill, ticks, its_ticks)
	end
	return fill, block, is_foreign and fill > 0
end

-- The same; false: no such bucket.  Most texts are a time under this recharge.
-- Adding 0 makes digits a number, in half the time of tonumber().
local function open(text)
	if not text then
		return 0, 0, false
	end
	local empty_at, rest = match(text, '^(%d+)(.*)$')
	if rest == mine and ticks == 1 then
		local fill = empty_at - now
		if fill <= 0 then
			return 0, 0, false
		elseif fill < 4503599627370495 then
			return fill, 0, false
		end
	elseif ticks > 1 and rest then
		local empty_ticks, behind = match(rest, '^%.(%d%d%d)(.*)$')
		local fill = behind == mine and (empty_at - now) * 1000 + empty_ticks
		if fill and fill < 4503599627370495 then
			return fill > 0 and fill or 0, 0, false
		end
	end
	return read_any(text)
end

-- Put in ${amount} drops, ${count} times in a row: consume them, or, if ${kind} is
-- '!', charge them, up to ${most} drops in the bucket, if it is '+', put in what has
-- room within ${most} microseconds, or, if it is '~', take as many as fit.  Return
-- what the bucket is then, whether all of them passed, whether its text must be of
-- this recharge, and, if it is '~', how many went in.
local function consume(fill, block, amount, count, kind, most)
	if block == 0 and kind == '' and count == 1 and amount > 0 and amount <= capacity then
		local more = fill + amount * recharge
		if more <= full then -- as most
			return more, 0, true, true
		end
	end
	local top, is_free = full, false
	local left = block -- of the block
	if growth and block > 0 then
		left = math.max(0, floor(block / 64) - memory)
	end
	if kind == '~' and amount > 0 then
		local fit = left == 0 and fill < full and floor((full - fill) / recharge) or 0
		local got = math.min(fit, amount * count)
		return fill + got * recharge, block, fit > 0, true, got
	elseif kind == '!' then
		top, is_free = most * recharge, most > capacity
	elseif kind == '+' then
		top, most = full + most * ticks, capacity
	else
		most = capacity
	end
	if amount == 0 or amount > most then
		return fill, block, amount == 0, false
	end
	local cost = amount * recharge
	if amount < 0 then
		if -amount * count >= math.ceil(fill / recharge) then
			return 0, block, true, true
		end
		return fill + count * cost, block, true, true
	end
	if left > 0 and not is_free then
		return fill, block, false, true
	end
	local fit = fill < top and floor((top - fill) / cost) or 0
	if fit < count then
		if left == 0 and kind ~= '+' then
			block = growth and growth.strike(block) or longest
		end
		return fill + fit * cost, block, false, true
	end
	return fill + count * cost, block, true, true
end

-- Give back what has not leaked of ${amount} drops that were put in when the bucket
-- became one that is empty at ${stamp}; if ${is_last}, only where none were put in
-- since.  Return what the bucket is then, and whether its text must be of this
-- recharge.
local function give_back(fill, block, amount, stamp, is_last)
	if is_last and now + floor(fill / ticks) ~= stamp then
		return fill, block, false
	end
	local left = math.min(math.max(0, stamp - now) * ticks, amount * recharge)
	return math.max(0, fill - left), block, true
end

-- The text of a bucket; '' for none.
local function write(fill, block)
	if fill > 0 and block == 0 and ticks == 1 then
		return format(one, now + fill)
	end
	local function block_text()
		if growth then
			return format(' ' .. ONE .. '*%d', now + floor(block / 64) - memory, block % 64)
		end
		return format(' ' .. ONE, now + block)
	end
	if fill == 0 then
		return block > 0 and '0' .. block_text() or ''
	end
	local text = format(ONE, now + floor(fill / ticks))
	if ticks > 1 then
		text = text .. format('.%03d', fill % ticks)
	end
	if block > 0 then
		text = text .. block_text()
	end
	return text .. mine
end

-- Decide ${ops}, an amount or words as batch.lua says, for the bucket ${text}.
-- Return its new text, '' for none, or nil to leave it alone.
--
-- Most operations on most buckets are decided without another call.
local function decide(text, ops)
	local held_fill, held_block, is_foreign = 0, 0, false
	if text then
		local empty_at, rest = match(text, '^(%d+)(.*)$')
		local fill = rest == mine and ticks == 1 and empty_at - now
		if fill and fill < 4503599627370495 then
			held_fill = fill > 0 and fill or 0
		else
			held_fill, held_block, is_foreign = open(text)
			if not held_fill then
				return nil
			end
		end
	end
	local fill, block = held_fill, held_block
	local amount = tonumber(ops)
	local passed, touches
	if amount and amount > 0 and amount <= capacity and block == 0 then
		local more = fill + amount * recharge
		touches = true
		if more <= full then
			fill = more
		else
			block = growth and growth.strike(0) or longest
		end
	elseif amount then
		fill, block, passed, touches = consume(fill, block, amount, 1)
	else
		for op in gmatch(ops, '%S+') do
			if op == 'r' then
				fill, block = 0, 0
			else
				local n, kind, most, count = match(op, OP)
				local touched
				fill, block, passed, touched = consume(fill, block,
					n + 0, tonumber(count) or 1, kind, tonumber(most))
				touches = touches or touched
			end
		end
	end
	if fill == held_fill and block == held_block and not (is_foreign and touches) then
		return nil
	end
	if fill > 0 and block == 0 and ticks == 1 then
		return format(one, now + fill)
	end
	return write(fill, block)
end

-- What the sweep replaces the bucket ${text} by: '' if it is the same as none; nil
-- to leave it alone.  After the clock was set back by ${back}, a bucket that holds
-- more than this limit lets in is trimmed, but not below that.  What a limit that
-- came with a request lets in is not known: there, a bucket that holds ${before} or
-- more was written before the clock was set back.
local function tidy(text, back, before)
	local fill, block = open(text)
	if not fill then
		return nil
	end
	if fill == 0 and block == 0 then
		return ''
	end
	local least = mine == '' and (fill >= before * ticks and 0 or fill) or full
	local most = growth and growth.most + block % 64 or longest
	if back == 0 or fill <= least and block <= most then
		return nil
	end
	now = now + back
	local true_fill, true_block = open(text)
	now = now - back
	return write(math.min(fill, math.max(least, true_fill)),
		math.min(block, math.max(most, true_block)))
end
