-- The fixed window, as in src/limit/fixed_window.c: the two must agree to the
-- microsecond.
--
-- A bucket is "ENDsCOUNT" or "ENDuCOUNT": the end of the window in seconds, or in
-- microseconds, since the epoch, and the drops counted in it.  Earlier versions
-- wrote "WINDOW COUNT", the number of the window since the epoch.

local PARAMETERS = 2
local LONGEST = 64 -- bytes of a bucket: two numbers, and zeros before them

local capacity, length
local lease -- none have names
local stop -- the end of the present window

-- From now on, the limit is that with the parameters from ${argv}[at] on: the
-- capacity and the length of a window; or, for windows of the calendar, "LENGTH
-- END END END END": about their length, and the ends of four windows in a row, in
-- seconds.  A script whose time is in none of the last three fails with its time:
-- the caller can say other ends then.  Nothing is written before that.
local function prepare(argv, at)
	capacity, length = argv[at] + 0, tonumber(argv[at + 1])
	if length then
		stop = (floor(now / length) + 1) * length
		return
	end
	local about, first, ends = match(argv[at + 1], '^(%d+) (%d+)(.*)$')
	length, stop = about + 0, nil
	for finish in gmatch(now >= first * 1000000 and ends or '', '%d+') do
		if finish * 1000000 > now then
			stop = finish * 1000000
			break
		end
	end
	if not stop then
		error({err = 'OUTSIDE ' .. format(ONE, now)})
	end
end

-- The end of the window and the count in ${text} (false: no such bucket), or nil
-- if it is not a bucket's.  Adding 0 makes digits a number, in half the time of
-- tonumber().
local function read(text)
	if not text then
		return 0, 0
	end
	local finish, unit, count = match(text, '^(%d+)([su ])(%d+)$')
	if not finish then
		return nil
	end
	finish, count = finish + 0, count + 0
	if unit == 's' then
		finish = finish * 1000000
	elseif unit == ' ' and finish <= LARGEST then
		-- A window too far ahead to be counted in microseconds ends at LARGEST.
		finish = finish + 1
		finish = finish > floor(LARGEST / length) and LARGEST or finish * length
	end
	if finish <= LARGEST and count <= LARGEST then
		return finish, count
	end
end

-- What the bucket ${text} (false: no such bucket) counts in the present window; 0,
-- since it is never blocked; and whether that was written under another end.  Nil
-- if it is not a bucket's.
local function open(text)
	local finish, count = read(text)
	if not finish then
		return nil
	elseif finish <= now then
		return 0, 0, false
	end
	return count, 0, count > 0 and finish ~= stop
end

-- Put in ${amount} drops, ${count} times in a row: consume them, or, if ${kind} is
-- '!', charge them, up to ${most} drops in the bucket, or, if it is '~', take as many
-- as fit.  Return what the bucket is then, whether all of them passed, whether its
-- text must be of this window, and, if it is '~', how many went in.
local function consume(level, block, amount, count, kind, most)
	if kind ~= '!' then
		most = capacity
	end
	if kind == '~' and amount > 0 then
		local fit = level < capacity and capacity - level or 0
		local got = math.min(fit, amount * count)
		return level + got, block, fit > 0, true, got
	elseif amount == 0 or amount > most then
		return level, block, amount == 0, false
	elseif amount < 0 then
		return math.max(0, level + amount * count), block, true, true
	end
	local fit = level < most and floor((most - level) / amount) or 0
	return level + amount * (fit < count and fit or count), block, fit >= count, true
end

-- Give back ${amount} drops that were put in when the bucket became one of a window
-- that ends at ${stamp}, if they still count.  Return what the bucket is then, and
-- whether its text must be of this window.
local function give_back(level, block, amount, stamp)
	if stamp <= now then
		return level, block, false
	end
	return math.max(0, level - amount), block, true
end

-- The text of a bucket; '' for none.
local function write(level)
	if level == 0 then
		return ''
	elseif stop % 1000000 == 0 then
		return format(ONE .. 's' .. ONE, stop / 1000000, level)
	end
	return format(ONE .. 'u' .. ONE, stop, level)
end

-- Decide ${ops}, an amount or words as batch.lua says, for the bucket ${text}.
-- Return its new text, '' for none, or nil to leave it alone.
local function decide(text, ops)
	local held, block, is_foreign = open(text)
	if not held then
		return nil
	end
	local level, passed, touches = held, nil, false
	local amount = tonumber(ops)
	if amount then
		level, block, passed, touches = consume(level, block, amount, 1)
	else
		for op in gmatch(ops, '%S+') do
			if op == 'r' then
				level = 0
			else
				local n, kind, most, count = match(op, OP)
				local touched
				level, block, passed, touched = consume(level, block,
					n + 0, tonumber(count) or 1, kind, tonumber(most))
				touches = touches or touched
			end
		end
	end
	if level == held and not (is_foreign and touches) then
		return nil
	end
	return write(level)
end

-- What the sweep replaces the bucket ${text} by: '' if it is the same as none; nil
-- to leave it alone.  After the clock was set ${back}, a count of a later window
-- than the present one becomes a count of that.
local function tidy(text, back)
	local finish, count = read(text)
	if not finish then
		return nil
	end
	if finish <= now then
		return ''
	end
	return back > 0 and finish > stop and write(count) or nil
end
