-- Leases, as in src/limit/leases.c: the two must agree to the microsecond.  The
-- sliding window's drops are leases that have no name.
--
-- A bucket is "DROPSNAMES", and then so many leases with a name, "ENDDROPSNAME",
-- and those without, "ENDDROPS", each in the order of the ends.  All are numbers to
-- the base of 64, with the digits from '0' to 'o' in the order of ASCII, the
-- highest first: DROPS, the sum at the front or those of a lease, and NAMES of 3,
-- END, in microseconds since the epoch, of 9, NAME of 11.
--
-- Most calls look at the front, for what is over, and at the end, where what goes
-- in is added.  What a log costs is the strings that are made of it, since Lua looks at
-- each byte of these: one as it is read, and two as it is written.

local PARAMETERS = 2
local LONGEST = 6 + 23 * 10000 -- bytes of a bucket

local byte, char, find, sub = string.byte, string.char, string.find, string.sub

local capacity, span
local fresh -- the end of what goes in now
local fresh_text
local shorts = {} -- texts of numbers that were needed before
local behind = {} -- the text of a lease that ends so, by its drops
local known, amount, count -- operations, and what they consume so many times, or nil

local function short_at(text, at)
	local a, b, c = byte(text, at, at + 2)
	return (a * 64 + b) * 64 + c - 199728
end

local function write_short(number)
	local text = shorts[number]
	if not text then
		text = char(48 + floor(number / 4096) % 64, 48 + floor(number / 64) % 64,
			48 + number % 64)
		shorts[number] = text
	end
	return text
end

local function end_at(text, at)
	local a, b, c, d, e, f, g, h, i = byte(text, at, at + 8)
	return (((a * 64 + b) * 64 + c) * 64 + d - 12782640) * 1073741824
		+ (((e * 64 + f) * 64 + g) * 64 + h) * 64 + i - 818089008
end

local function write_end(time)
	local high, low = floor(time / 1073741824), time % 1073741824
	return char(48 + floor(high / 262144), 48 + floor(high / 4096) % 64,
		48 + floor(high / 64) % 64, 48 + high % 64,
		48 + floor(low / 16777216), 48 + floor(low / 262144) % 64,
		48 + floor(low / 4096) % 64, 48 + floor(low / 64) % 64, 48 + low % 64)
end

-- From now on, the limit is that with the parameters from ${argv}[at] on: the
-- capacity, and the time for which a drop counts.
local function prepare(argv, at)
	capacity, span = argv[at] + 0, argv[at + 1] + 0
	fresh = now + span
	fresh_text = write_end(fresh)
	behind = {}
end

-- A bucket of the leases of ${text} from ${first} on with a name, up to ${border}, and
-- from ${rest} on without; '' if there are none.
local function join(drops, names, text, first, border, rest)
	local others = sub(text, rest)
	if names == 0 and others == '' then
		return ''
	end
	return write_short(drops) .. write_short(names) .. sub(text, first, border) .. others
end

-- The bucket ${text} (false: no such bucket) without what is over; 0, since it is
-- never blocked; and whether all the same it must be written: never.  Nil if it is
-- not a bucket's.
local function open(text)
	if not text then
		return '', 0, false
	end
	local length = #text
	if length < 18 then
		return nil
	end
	local drops, names = short_at(text, 1), short_at(text, 4)
	local border = 6 + 23 * names
	if names < 0 or border > length or (length - border) % 12 ~= 0 then
		return nil
	end
	local first, rest = 7, border + 1
	while first < border and end_at(text, first) <= now do
		drops, names, first = drops - short_at(text, first + 9), names - 1, first + 23
	end
	while rest < length and end_at(text, rest) <= now do
		drops, rest = drops - short_at(text, rest + 9), rest + 12
	end
	if first == 7 and rest == border + 1 then
		return text, 0, false
	end
	return join(drops, names, text, first, border, rest), 0, false
end

-- The drops of an open bucket.
local function drops_of(text)
	return text == '' and 0 or short_at(text, 1)
end

-- Put ${drops} without a name in.
local function put(text, drops)
	if text == '' then
		return write_short(drops) .. '000' .. fresh_text .. write_short(drops)
	end
	local border = 6 + 23 * short_at(text, 4)
	local at = #text + 1
	while at - 12 > border and end_at(text, at - 12) > fresh do
		at = at - 12
	end
	local before, own = at - 1, drops
	if at - 12 > border and end_at(text, at - 12) == fresh then
		before, own = at - 13, drops + short_at(text, at - 3)
	end
	return write_short(short_at(text, 1) + drops) .. sub(text, 4, before) ..
		fresh_text .. write_short(own) .. sub(text, at)
end

-- Take ${drops} out of the leases without a name, from the end on; or, if there is a
-- ${stamp}, of the one that ends then.
local function take_out(text, drops, stamp)
	if text == '' then
		return ''
	end
	local names = short_at(text, 4)
	local border = 6 + 23 * names
	local sum, at = short_at(text, 1), #text + 1
	local behind = ''
	while at - 12 > border and drops > 0 do
		at = at - 12
		local held = short_at(text, at + 9)
		if stamp and end_at(text, at) ~= stamp then
			behind = sub(text, at, at + 11) .. behind
		elseif held > drops then
			behind = sub(text, at, at + 8) .. write_short(held - drops) .. behind
			sum, drops = sum - drops, 0
		else
			sum, drops = sum - held, stamp and 0 or drops - held
		end
	end
	text = sub(text, 7, at - 1) .. behind
	return text == '' and '' or write_short(sum) .. write_short(names) .. text
end

-- Put in ${amount} drops, ${count} times in a row: consume them, or, if ${kind} is
-- '!', charge them, up to ${most} drops in the bucket, or, if it is '~', take as many
-- as fit.  Return what the bucket is then, whether all of them passed, and whether its
-- text must be written anew.
local function consume(text, block, amount, count, kind, most)
	local level = drops_of(text)
	if kind ~= '!' then
		most = capacity
	end
	if kind == '~' and amount > 0 then
		local fit = level < capacity and capacity - level or 0
		fit = math.min(fit, amount * count)
		return fit > 0 and put(text, fit) or text, block, fit > 0, false
	elseif amount == 0 or amount > most then
		return text, block, amount == 0, false
	elseif amount < 0 then
		return take_out(text, -amount * count), block, true, false
	end
	local fit = level < most and floor((most - level) / amount) or 0
	if fit > count then
		fit = count
	end
	return fit > 0 and put(text, amount * fit) or text, block, fit == count, false
end

-- Give back ${amount} drops that were put in when what went in ended at ${stamp}, if
-- they still count.
local function give_back(text, block, amount, stamp)
	return take_out(text, amount, stamp), block, false
end

-- Where the lease of ${name} is, or nil.
local function find_lease(text, name)
	local border = text == '' and 0 or 6 + 23 * short_at(text, 4)
	local at = find(text, name, 19, true)
	while at and at < border do
		if (at - 19) % 23 == 0 then
			return at - 12
		end
		at = find(text, name, at + 1, true)
	end
end

-- Have ${drops} be held under ${name}, "" for none: a new lease, or the one that there
-- is, renewed.  Return what the bucket is then, whether they may be, or there was one
-- to be given back, and whether its text must be written anew.
local function lease(text, block, drops, name)
	drops = drops ~= '' and drops + 0
	if text == '' and drops and drops > 0 and drops <= capacity then
		local own = write_short(drops)
		return own .. '001' .. fresh_text .. own .. name, block, true, false
	elseif not drops and #text == 29 and sub(text, 19) == name then
		return '', block, true, false
	end
	local level, at = drops_of(text), find_lease(text, name)
	local held = at and short_at(text, at + 9) or 0
	local names, first, others = 0, '', ''
	if drops and drops > held and drops > capacity - level + held then
		return text, block, false, false
	elseif drops == 0 or not drops and not at then
		return text, block, drops == 0, false
	end
	if text ~= '' then
		local border = 6 + 23 * short_at(text, 4)
		names, first, others = short_at(text, 4), sub(text, 7, border), sub(text, border + 1)
	end
	if at then
		names, first = names - 1, sub(first, 1, at - 7) .. sub(first, at + 17)
	end
	if drops then
		local behind = #first + 1
		while behind > 1 and end_at(first, behind - 23) > fresh do
			behind = behind - 23
		end
		names = names + 1
		first = sub(first, 1, behind - 1) .. fresh_text .. write_short(drops) .. name ..
			sub(first, behind)
	end
	if names == 0 and others == '' then
		return '', block, true, false
	end
	return write_short(level - held + (drops or 0)) .. write_short(names) .. first .. others,
		block, true, false
end

-- The text of a bucket; '' for none.
local function write(text)
	return text
end

-- The text of a lease of ${drops} that ends as what goes in now.
local function write_behind(drops)
	local text = behind[drops]
	if not text then
		text = fresh_text .. write_short(drops)
		behind[drops] = text
	end
	return text
end

-- Bytes of a text of which the reply has all.
local BRIEF = 400

-- What of a log decides on amounts that are put in, if the denied ones come when
-- ${lacks} more of the drops have ended: the first lease, the one with which so many
-- have, and the last, each with the drops of those before it.  What is not over starts
-- at ${first}, and has ${drops}.
local function shorten(text, first, drops, lacks)
	local last = #text - 11
	local at, sum = first, short_at(text, first + 9)
	local told, leases = sum, sub(text, first, first + 11)
	while sum < lacks and at < last do
		at = at + 12
		sum = sum + short_at(text, at + 9)
	end
	if at > first and at < last then
		leases = leases .. sub(text, at, at + 8) .. write_short(sum - told)
		told = sum
	end
	if told < drops then
		leases = leases .. sub(text, last, last + 8) .. write_short(drops - told)
	end
	return write_short(drops) .. '000' .. leases
end

-- Where the leases of ${text} begin that are not over, and the drops of these; nil if
-- there are names.
local function skip_over(text)
	local length = #text
	local p, q, r, l, m, n, a, b, c, d, e, f, g, h, i, x, y, z = byte(text, 1, 18)
	local drops, at = (p * 64 + q) * 64 + r - 199728, 7
	if l ~= 48 or m ~= 48 or n ~= 48 then
		return nil
	end
	while (((a * 64 + b) * 64 + c) * 64 + d - 12782640) * 1073741824
		+ (((e * 64 + f) * 64 + g) * 64 + h) * 64 + i - 818089008 <= now do
		drops, at = drops - ((x * 64 + y) * 64 + z - 199728), at + 12
		if at > length then
			return at, 0
		end
		a, b, c, d, e, f, g, h, i, x, y, z = byte(text, at, at + 11)
	end
	return at, drops
end

-- Consume ${amount} > 0 drops, ${count} times in a row, from a log without names in
-- which none ends later than what goes in now.  Return true, and what decide() does; or
-- false if it is another one.
local function consume_quickly(text)
	local length = #text
	if length < 18 or length % 12 ~= 6 then
		return false
	end
	local last = end_at(text, length - 11)
	if last > fresh or last <= now then
		return false
	end
	local first, drops = skip_over(text)
	if not first then
		return false
	end
	local fit, lacks = count, 0
	if drops + amount * count > capacity then
		fit = drops < capacity and floor((capacity - drops) / amount) or 0
		lacks = drops + amount * (fit + 1) - capacity
	end
	local short, new
	if length > BRIEF then
		short = shorten(text, first, drops, lacks <= drops and lacks or 0)
	end
	if fit == 0 then
		return true, nil, short
	end
	local own = amount * fit
	local head = write_short(drops + own)
	if last == fresh then
		new = head .. '000' .. sub(text, first, length - 12) ..
			write_behind(short_at(text, length - 2) + own)
	elseif first == 7 then
		new = head .. sub(text, 4) .. write_behind(own)
	else
		new = head .. '000' .. sub(text, first) .. write_behind(own)
	end
	return true, new, short
end

-- Decide ${ops}, an amount or words as batch.lua says, for the bucket ${text}.
-- Return its new text, '' for none, or nil to leave it alone; and what to tell instead
-- of ${text}, or nil.
local function decide(text, ops)
	if ops ~= known then
		known, amount, count = ops, tonumber(ops), 1
		if not amount then
			amount, count = match(ops, '^(%d+)%*(%d+)$')
			amount, count = tonumber(amount), tonumber(count)
		end
	end
	if text and amount and amount > 0 then
		local done, new, short = consume_quickly(text)
		if done then
			return new, short
		end
	end
	local held, block = open(text)
	if not held then
		return nil
	end
	local new = held
	if amount then
		new = consume(held, block, amount, count)
	else
		for op, mark, name in gmatch(ops, '([^ #]*)(#?)(%S*)') do
			if mark ~= '' then
				new = lease(new, block, op, name)
			elseif op == 'r' then
				new = ''
			elseif op ~= '' then
				local n, kind, most, times = match(op, OP)
				new = consume(new, block, n + 0, tonumber(times) or 1, kind,
					tonumber(most))
			end
		end
	end
	if new == held then
		return nil
	end
	return new
end

-- What the sweep replaces the bucket ${text} by: '' if it is the same as none; nil
-- to leave it alone.  After the clock was set ${back}, what ends later than what goes
-- in now ends then, but not before it was to.
local function tidy(text, back)
	local held = open(text)
	if not held or held == '' then
		return held
	elseif back == 0 then
		return nil
	end
	local names = short_at(held, 4)
	local parts, at = {sub(held, 1, 6)}, 7
	for i = 1, (#held - 6 - 23 * names) / 12 + names do
		local length = i <= names and 23 or 12
		local stop = end_at(held, at)
		parts[i + 1] = write_end(math.min(stop, math.max(fresh, stop - back))) ..
			sub(held, at + 9, at + length - 1)
		at = at + length
	end
	local new = table.concat(parts)
	return new ~= held and new or nil
end
