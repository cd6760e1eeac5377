-- Leases, as in src/limit/leases.c: the two must agree to the microsecond.  The
-- sliding window's drops are leases that have no name.
--
-- A bucket is "DROPS"; behind that, if there are leases with a name, "NAMES" and so many
-- "ENDDROPSNAME"; and behind that, if there are leases without, "WIDTHBASE" and each as
-- "LOWDROP".  Both kinds are in the order of their ends.  Numbers are bytes, the highest
-- first: DROPS, the sum at the front or those of a lease, 3; NAMES 2; END and BASE, in
-- microseconds since the epoch, 7; DROP 1.  NAME is 11 bytes of text, WIDTH a digit from 3
-- to 7, which no NAMES starts with.  LOW is the last WIDTH bytes of an end: the latest
-- such time that is not after BASE.  More than 255 drops that end at one time are several.
--
-- Most calls look at the front, for what is over, and put what goes in at the end.
-- What a log costs is the strings that are made of it, since Lua looks at each byte of
-- these, one as it is read, and two as it is written; and Lua's instructions, so that one
-- call of struct.unpack() reads what is needed of most logs.

local PARAMETERS = 2
local LONGEST = 5 + 21 * 10000 -- bytes of a bucket

local byte, char, find, rep, sub = string.byte, string.char, string.find, string.rep,
	string.sub
local encode, decode = struct.pack, struct.unpack

-- Whether a number may have all 7 bytes: C's long has 64 bits.
local IS_WIDE = decode('>I5', '\1\0\0\0\0') > 0

-- After how many microseconds a LOW of so many bytes comes again.
local CYCLES = {[3] = 2 ^ 24, [4] = 2 ^ 32, [5] = 2 ^ 40, [6] = 2 ^ 48, [7] = 2 ^ 56}

local capacity
local fresh -- the end of what goes in now
local fresh_text
local fresh_width, fresh_cycle -- WIDTH for all that goes in until then, and its cycle
local fresh_base -- "WIDTHBASE" of that
local head_format, lease_format -- of such a log without names
local shorts = {} -- texts of numbers that were needed before
local tails = {} -- those of what goes in now, by its drops
local known, amount, count -- operations, and what they consume so many times, or nil
local wanted -- all of that; nil or false if it is nothing, or not IS_WIDE

local function short_at(text, at)
	local number = decode('>I3', text, at)
	return number
end

local function write_short(number)
	local text = encode('>I3', number)
	shorts[number] = text
	return text
end

local function names_in(text)
	if text == '' or byte(text, 4) >= 51 then
		return 0
	end
	local names = decode('>I2', text, 4)
	return names
end

local function end_at(text, at)
	local high, low = decode('>I3I4', text, at)
	return high * 4294967296 + low
end

local function write_end(time)
	return encode('>I3I4', floor(time / 4294967296), time % 4294967296)
end

-- The end of the lease without a name at ${at}, which is not the first bytes of a text,
-- and its drops.
local function lease_at(text, at, width, base)
	local format, before = '>I2I4B', 6
	if width == 7 then
		format, before = '>I3I4B', 7
	end
	local high, low, drops = decode(format, text, at + width - before)
	return base - (base - high * 4294967296 - low) % CYCLES[width], drops
end

-- The least WIDTH where no end is as much as ${time} before BASE.
local function width_for(time)
	local width = 3
	while width < 7 and CYCLES[width] < time do
		width = width + 1
	end
	return width
end

-- The text of ${drops} without a name.
local function write_lease(low, drops)
	return rep(low .. '\255', floor((drops - 1) / 255)) .. low .. char(1 + (drops - 1) % 255)
end

-- The same for what goes in now.
local function write_fresh(drops)
	local text = write_lease(sub(fresh_text, 8 - fresh_width), drops)
	tails[drops] = text
	return text
end

-- From now on, the limit is that with the parameters from ${argv}[at] on: the
-- capacity, and the time for which a drop counts.
local function prepare(argv, at)
	capacity = argv[at] + 0
	local span = argv[at + 1] + 0
	fresh = now + span
	fresh_text, fresh_width = write_end(fresh), width_for(span)
	fresh_cycle, fresh_base = CYCLES[fresh_width], fresh_width .. fresh_text
	lease_format = '>I' .. fresh_width .. 'B'
	head_format = '>I3BI7I' .. fresh_width .. 'B'
	tails = {}
end

-- What is in ${text}: the drops; how many leases have a name, and where these start; where
-- the others start, behind the end if there are none, with their WIDTH and BASE.  Nil if
-- it is not a bucket's.
local function parse(text)
	local length = #text
	if length < 15 then
		return nil
	end
	local drops, digit, more = decode('>I3BB', text)
	local names, first, border = 0, 4, 3
	if digit < 51 then
		names, first = digit * 256 + more, 6
		border = 5 + 21 * names
		if names > 0 and border == length then
			return drops, names, first, border + 9, 3, 0
		end
	end
	if border == 5 or border + 9 > length then
		return nil
	end
	local width = byte(text, border + 1) - 48
	if width < 3 or width > 7 or (length - border - 8) % (width + 1) ~= 0 then
		return nil
	end
	return drops, names, first, border + 9, width, end_at(text, border + 2)
end

-- The bucket with ${named}, so many leases with a name, and ${others}, "WIDTHBASE" and
-- those without; '' if there are none.
local function join(drops, names, named, others)
	if names > 0 then
		named = encode('>I2', names) .. named
	elseif others == '' then
		return ''
	end
	return write_short(drops) .. named .. others
end

-- The bucket ${text} (false: no such bucket) without what is over; 0, since it is
-- never blocked; and whether all the same it must be written: never.  Nil if it is
-- not a bucket's.
local function open(text)
	if not text then
		return '', 0, false
	end
	local drops, names, first, rest, width, base = parse(text)
	if not drops then
		return nil
	end
	local length, from, at = #text, first, rest
	while from < rest - 8 and end_at(text, from) <= now do
		drops, names, from = drops - short_at(text, from + 7), names - 1, from + 21
	end
	while at <= length do
		local stop, own = lease_at(text, at, width, base)
		if stop > now then
			break
		end
		drops, at = drops - own, at + width + 1
	end
	if from == first and at == rest then
		return text, 0, false
	end
	return join(drops, names, sub(text, from, rest - 9), at <= length and
		sub(text, rest - 8, rest - 1) .. sub(text, at) or ''), 0, false
end

-- The drops of an open bucket.
local function drops_of(text)
	return text == '' and 0 or short_at(text, 1)
end

-- The open bucket ${text} with WIDTH as ${new}, and each end, and BASE, as ${change} has
-- them.
local function rewrite(text, new, change)
	local _, _, first, rest, width, base = parse(text)
	local parts = {sub(text, 1, first - 1)}
	for at = first, rest - 10, 21 do
		parts[#parts + 1] = write_end(change(end_at(text, at))) .. sub(text, at + 7, at + 20)
	end
	if rest <= #text then
		parts[#parts + 1] = new .. write_end(change(base))
	end
	for at = rest, #text, width + 1 do
		local stop, drops = lease_at(text, at, width, base)
		parts[#parts + 1] = sub(write_end(change(stop)), 8 - new) .. char(drops)
	end
	return table.concat(parts)
end

-- Put ${drops} without a name in.
local function put(text, drops)
	local sum, names, first, rest, width, base = 0, 0, 4, 12, 0, 0
	if text ~= '' then
		sum, names, first, rest, width, base = parse(text)
	end
	if rest > #text then
		return join(sum + drops, names, sub(text, 6), fresh_base .. write_fresh(drops))
	end
	local earliest = math.min(fresh, (lease_at(text, rest, width, base)))
	local least = math.max(fresh_width, width_for(math.max(fresh, base) + 1 - earliest))
	if width ~= least then
		return put(rewrite(text, least, function(stop) return stop end), drops)
	end
	local at, size = #text + 1, width + 1
	while at > rest and lease_at(text, at - size, width, base) > fresh do
		at = at - size
	end
	return write_short(sum + drops) .. sub(text, 4, rest - 8) ..
		(base > fresh and sub(text, rest - 7, rest - 1) or fresh_text) ..
		sub(text, rest, at - 1) .. write_lease(sub(fresh_text, 8 - width), drops) ..
		sub(text, at)
end

-- Take ${drops} out of the leases without a name, from the end on; or, if there is a
-- ${stamp}, of those that end then.
local function take_out(text, drops, stamp)
	if text == '' then
		return ''
	end
	local sum, names, first, rest, width, base = parse(text)
	local size, behind, left = width + 1, #text + 1, ''
	while stamp and behind > rest and lease_at(text, behind - size, width, base) > stamp do
		behind = behind - size
	end
	local at = behind
	while at > rest and drops > 0 do
		local stop, held = lease_at(text, at - size, width, base)
		if stamp and stop ~= stamp then
			break
		end
		at = at - size
		if held > drops then
			left = sub(text, at, at + width - 1) .. char(held - drops)
			held = drops
		end
		sum, drops = sum - held, drops - held
	end
	local others = sub(text, rest, at - 1) .. left .. sub(text, behind)
	return join(sum, names, sub(text, first, rest - 9),
		others ~= '' and sub(text, rest - 8, rest - 1) .. others or '')
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
	local border = 5 + 21 * names_in(text)
	local at = find(text, name, 16, true)
	while at and at < border do
		if (at - 16) % 21 == 0 then
			return at - 10
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
		local own = shorts[drops] or write_short(drops)
		return own .. '\0\1' .. fresh_text .. own .. name, block, true, false
	elseif not drops and #text == 26 and sub(text, 16) == name then
		return '', block, true, false
	end
	local level, at = drops_of(text), find_lease(text, name)
	local held = at and short_at(text, at + 7) or 0
	if drops and drops > held and drops > capacity - level + held then
		return text, block, false, false
	elseif drops == 0 or not drops and not at then
		return text, block, drops == 0, false
	end
	local names, named, others = names_in(text), '', sub(text, 4)
	if names > 0 then
		local border = 5 + 21 * names
		named, others = sub(text, 6, border), sub(text, border + 1)
	end
	if at then
		names, named = names - 1, sub(named, 1, at - 6) .. sub(named, at + 16)
	end
	if drops then
		local behind = #named + 1
		while behind > 1 and end_at(named, behind - 21) > fresh do
			behind = behind - 21
		end
		names = names + 1
		named = sub(named, 1, behind - 1) .. fresh_text .. write_short(drops) .. name ..
			sub(named, behind)
	end
	return join(level - held + (drops or 0), names, named, others), block, true, false
end

-- The text of a bucket; '' for none.
local function write(text)
	return text
end

-- Bytes of a text of which the reply has all.
local BRIEF = 400

-- What of a log decides on amounts that are put in, if the denied ones come when
-- ${lacks} more of the drops have ended: the first lease, the one with which so many
-- have, and the last, each with the drops of those before it.  What is not over starts
-- at ${first}, and has ${drops}.
local function shorten(text, first, drops, lacks)
	local width = fresh_width
	local last = #text - width
	local at, sum = first, byte(text, first + width)
	local told, leases = sum, sub(text, first, first + width)
	while sum < lacks and at < last do
		at = at + width + 1
		sum = sum + byte(text, at + width)
	end
	if at > first and at < last then
		leases = leases .. write_lease(sub(text, at, at + width - 1), sum - told)
		told = sum
	end
	if told < drops then
		leases = leases .. write_lease(sub(text, last, -2), drops - told)
	end
	return write_short(drops) .. sub(text, 4, 11) .. leases
end

-- Consume ${amount} drops, ${count} times in a row.  Return what decide() does.
local function consume_any(text)
	local held, block = open(text)
	local new = held and consume(held, block, amount, count)
	return new ~= held and new or nil
end

-- The same with ${wanted} drops, more than 0.  This is for most logs: without names, of
-- the width that the limit needs, and with nothing that ends later than what goes in now.
local function consume_quickly(text)
	local length, size = #text, fresh_width + 1
	if length < 15 or (length - 11) % size ~= 0 then
		return consume_any(text)
	end
	local drops, width, base, low, own = decode(head_format, text)
	if width ~= size + 47 or base > fresh then
		return consume_any(text)
	end
	local first, cycle, over = 12, fresh_cycle, base - now
	while (base - low) % cycle >= over do
		drops, first = drops - own, first + size
		if first > length then
			return consume_any(text)
		end
		low, own = decode(lease_format, text, first)
	end
	local own, lacks = wanted, 0
	if drops + own > capacity then
		local fit = drops < capacity and floor((capacity - drops) / amount) or 0
		own, lacks = amount * fit, drops + amount * (fit + 1) - capacity
	end
	local short = length > BRIEF and
		shorten(text, first, drops, lacks <= drops and lacks or 0)
	if own == 0 then
		return nil, short
	end
	drops = drops + own
	return (shorts[drops] or write_short(drops)) .. fresh_base .. sub(text, first) ..
		(tails[own] or write_fresh(own)), short
end

-- Decide ${ops}, words.  Return what decide() does.
local function decide_words(text, ops)
	local held, block = open(text)
	local new = held
	if not held then
		return nil
	end
	for op, mark, name in gmatch(ops, '([^ #]*)(#?)(%S*)') do
		if mark ~= '' then
			new = lease(new, block, op, name)
		elseif op == 'r' then
			new = ''
		elseif op ~= '' then
			local n, kind, most, times = match(op, OP)
			new = consume(new, block, n + 0, tonumber(times) or 1, kind, tonumber(most))
		end
	end
	return new ~= held and new or nil
end

-- Decide ${ops}, an amount or words as batch.lua says, for the bucket ${text}.
-- Return its new text, '' for none, or nil to leave it alone; and what to tell instead
-- of ${text}, or nil or false.
local function decide(text, ops)
	if ops ~= known then
		known, amount, count = ops, tonumber(ops), 1
		if not amount then
			amount, count = match(ops, '^(%d+)%*(%d+)$')
			amount, count = tonumber(amount), tonumber(count)
		end
		wanted = IS_WIDE and amount and amount > 0 and amount * count
	end
	if wanted and text then
		return consume_quickly(text)
	elseif amount then
		return consume_any(text)
	end
	return decide_words(text, ops)
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
	local _, _, _, _, width = parse(held)
	local new = rewrite(held, width, function(stop)
		return math.min(stop, math.max(fresh, stop - back))
	end)
	return new ~= held and new or nil
end
