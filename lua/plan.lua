-- Decide on buckets of several limits and algorithms in one call, step by step.  A
-- step may be about several buckets: all of them change by it, or, if one of them
-- denies it, none but those that deny it.  ALGORITHMS, with a function for each
-- that makes it, and the functions on fields come before this text in the same
-- script.
--
-- KEYS  one hash a limit; its fields are the buckets.  Behind it its older names, if
--       it has any.  Behind them, for each step that has an id, in their order: the
--       names of its memo, the one to write under first.
-- ARGV  how many of KEYS are hashes.  For each hash in turn: the name of the
--       algorithm, the parameters of the limit, the time to live of the hash in
--       milliseconds, the number of buckets n, "n m" or "n m m", n fields, and m
--       times n older names, all as for a batch.  Behind those of the last hash,
--       each argument is a step: "BUCKET OP", or "BUCKET OP BUCKET OP ..."; "=NAMES
--       MS" and a blank before it if it has an id, whose memo has NAMES names, and
--       lives for MS milliseconds.  BUCKET is a number, from 1, in the order of the
--       fields; no bucket twice in a step.  OP is one of
--         AMOUNT        consume; AMOUNT!MOST, AMOUNT+TIME and AMOUNT~ as for a batch
--         ...*COUNT     so many times in a row; in a step about one bucket
--         ...?          but never keep the others from passing
--         r             reset
--         AMOUNT#NAME   hold, and #NAME to release, as for a batch; alone in a step
--         AMOUNT@STAMP  give back what has not leaked of AMOUNT drops, which were
--                       put in when the bucket's first number became STAMP
--         AMOUNT=STAMP  the same, if no more were put in since
--       A step that consumes the same AMOUNT of buckets with numbers in a row, from
--       FIRST to LAST, may be "AMOUNT:FIRST-LAST".
-- Reply: as of a batch; behind the buckets, for each step that has an id, its memo,
--       or nil if the step was taken.  A step about a bucket that is none is left
--       out.
--
-- A memo is what a step was when its id came first: "ASKED\nTIME PASSED", ASKED
-- being the AMOUNT! or AMOUNT~ of each part, PASSED 1 or 0, and for each part
-- "\nGOT TEXT", GOT being what went in if it is a take, else 1 or 0, and TEXT the
-- bucket before.  A step whose id has a memo is not taken.  But a denial counts only
-- as long as the step would still be denied.

local reply = {time[1], time[2]}
local made = {}

-- By the place of a hash in KEYS.  Bucket i of it, from ${first_of} to ${last_of}, has
-- its field in argv at ${fields_at} + i.
local algorithm_of, limit_at, fields_at, first_of, last_of = {}, {}, {}, {}, {}
local set, forget, ttl = {}, {}, {}

-- By the number of a bucket: where it is, what it holds and held, false for none, and
-- whether its text must be of this recharge.
local count = 0
local hash_of, text_of, older_of, home_of = {}, {}, {}, {}
local a, b, held_a, held_b, is_foreign, touched = {}, {}, {}, {}, {}, {}

-- By the place in a step: the bucket, what the step makes of it, and what went in if
-- that is a take.
local part, new_a, new_b, passes, touches, got = {}, {}, {}, {}, {}, {}

-- The algorithm of hash k, with the parameters of its limit.
local function prepared(k)
	local algorithm = algorithm_of[k]
	if algorithm.at ~= limit_at[k] then
		algorithm.prepare(argv, limit_at[k])
		algorithm.at = limit_at[k]
	end
	return algorithm
end

-- Take note of the buckets of hash k, whose arguments start at ${at}.  Return which
-- hash is next, and where its arguments start.
local function open_buckets(k, at)
	local name = argv[at]
	made[name] = made[name] or ALGORITHMS[name]()
	algorithm_of[k], limit_at[k] = made[name], at + 1
	local open = prepared(k).open
	local rest = at + 1 + made[name].parameters
	local n, m, h = read_counts(argv[rest + 1])
	local field = rest + 2
	local texts, moved, homes = read_fields(k, field, n, m, h)
	ttl[k], first_of[k], fields_at[k] = argv[rest], count + 1, field - count - 1
	for i = 1, n do
		local text = texts[i]
		count = count + 1
		hash_of[count] = k
		if moved and moved[i] then
			text_of[count], older_of[count], home_of[count] = text, moved[i], homes[i]
		end
		if texts.err or
			text and #text > SHORT and not has_room(text, made[name].longest) then
			text = explain(texts, text)
			a[count] = false
		else
			local held, block, foreign = open(text)
			a[count], b[count] = held or false, block
			held_a[count], held_b[count] = held or false, block
			if foreign then
				is_foreign[count] = true
			end
		end
		reply[count + 2] = text
	end
	last_of[k] = count
	return k + 1 + h, field + n + m * n
end

-- What ${op} makes of bucket i, whether it passes, whether its text must be of this
-- recharge, and whether it denies the step.
local function try_op(i, op)
	local algorithm = prepared(hash_of[i])
	if op == 'r' then
		local held, block = algorithm.open(false)
		return held, block, true
	end
	local drops, name = match(op, '^(%d*)#(.+)$')
	if name then
		return algorithm.lease(a[i], b[i], drops, name)
	end
	local amount, kind, number, times, shadow = match(op, OP)
	amount, number = amount + 0, tonumber(number)
	if kind == '@' or kind == '=' then
		local left, block, touches = algorithm.give_back(a[i], b[i], amount, number,
			kind == '=')
		return left, block, true, touches
	end
	local fill, block, passed, touches, drops_in = algorithm.consume(a[i], b[i], amount,
		tonumber(times) or 1, kind, number)
	return fill, block, passed, touches, not passed and shadow == '', drops_in
end

-- Find out what the step makes of its buckets.  Return how many it has, or nil if one
-- is none, and whether one of them denies it.  Most steps consume an amount.
local function try_parts(step)
	local n, denied = 0, false
	for number, op in gmatch(step, '(%d+) (%S+)') do
		local i, amount, denies = number + 0, tonumber(op), false
		if not a[i] then
			return nil
		end
		n = n + 1
		part[n] = i
		if amount then
			new_a[n], new_b[n], passes[n], touches[n] =
				prepared(hash_of[i]).consume(a[i], b[i], amount, 1, '')
			denies = not passes[n]
		else
			new_a[n], new_b[n], passes[n], touches[n], denies, got[n] = try_op(i, op)
		end
		denied = denied or denies
	end
	return n, denied
end

-- Take a step that consumes ${amount} of the buckets from ${first} to ${last}, if none
-- denies it.  Return whether that is so.
local function take_range(amount, first, last)
	local k, before, consume = 0, first - 1, nil
	for i = first, last do
		local held, passed = a[i], nil
		if not held then
			return false
		end
		if hash_of[i] ~= k then
			k = hash_of[i]
			consume = prepared(k).consume
		end
		new_a[i - before], new_b[i - before], passed, touches[i - before] =
			consume(held, b[i], amount, 1, '')
		if not passed then
			return false
		end
	end
	for i = first, last do
		a[i], b[i] = new_a[i - before], new_b[i - before]
		if is_foreign[i] then
			touched[i] = touched[i] or touches[i - before]
		end
	end
	return true
end

local function put_parts(n, denied)
	for p = 1, n do
		if not denied or not passes[p] then
			local i = part[p]
			a[i], b[i] = new_a[p], new_b[p]
			touched[i] = touched[i] or touches[p]
		end
	end
end

local function take_step(step)
	local amount, first, last = match(step, '^(%d+):(%d+)%-(%d+)$')
	if amount then
		if take_range(amount + 0, first + 0, last + 0) then
			return
		end
		local words = {}
		for i = first + 0, last + 0 do
			words[#words + 1] = i .. ' ' .. amount
		end
		step = table.concat(words, ' ')
	end
	local n, denied = try_parts(step)
	if n then
		put_parts(n, denied)
	end
end

local memos = {} -- to be written: their texts and times to live, by name

-- What takes a step that has an id; the names of memos are in KEYS from ${at} on.
local function open_memos(at)
	local LONGEST_MEMO = 2048
	local replies = count + 2

	-- The memo under one of the names, or false; or why there is none that can
	-- be read.
	local function find(names)
		local memo = memos[KEYS[at]] and memos[KEYS[at]].text
		for i = at, at + names - 1 do
			memo = memo or try('GET', KEYS[i])
		end
		if memo and (memo.err or #memo > LONGEST_MEMO) then
			return nil, explain(memo, memo)
		end
		return memo
	end

	local function write_memo(asked, n, denied)
		local lines = {asked, format(ONE, now) .. (denied and ' 0' or ' 1')}
		for p = 1, n do
			local i = part[p]
			local text = reply[i + 2] or ''
			if a[i] ~= held_a[i] or b[i] ~= held_b[i] then
				text = prepared(hash_of[i]).write(a[i], b[i])
			end
			lines[p + 2] = (got[p] or passes[p] and 1 or 0) .. ' ' .. text
		end
		return table.concat(lines, '\n')
	end

	local function take(step, names, ms)
		got = {}
		local n, denied = try_parts(step)
		if not n then
			return false
		end
		local memo, why = find(names)
		if why then
			return why
		end
		local asked = {}
		for op in gmatch(step, '%d+ (%S+)') do
			local amount, kind = match(op, OP)
			asked[#asked + 1] = amount .. kind
		end
		asked = table.concat(asked, ' ')
		if memo then
			local said, passed = match(memo, '^(.-)\n%d+ ([01])')
			if said ~= asked or passed ~= '0' or denied then
				return memo
			end
		end
		memos[KEYS[at]] = {text = write_memo(asked, n, denied), ms = ms}
		put_parts(n, denied)
		return false
	end

	return function(step)
		local names, ms, rest = match(step, '^=(%d+) (%d+) (.*)$')
		replies = replies + 1
		reply[replies] = take(rest, names + 0, ms)
		at = at + names
	end
end

-- The text that bucket i must have now; '' for none, nil to leave it alone.
local function new_text(i)
	local is_same = a[i] == held_a[i] and b[i] == held_b[i]
	if not a[i] or is_same and not (is_foreign[i] and touched[i]) then
		return older_of[i] and text_of[i]
	end
	return prepared(hash_of[i]).write(a[i], b[i])
end

local hashes, at, k, take_once = argv[1] + 0, 2, 1, nil
while k <= hashes do
	k, at = open_buckets(k, at)
end
for i = at, #argv do
	if string.byte(argv[i]) == 61 then -- "="
		take_once = take_once or open_memos(hashes + 1)
		take_once(argv[i])
	else
		take_step(argv[i])
	end
end
for k, first in pairs(first_of) do
	local values, sets, at = {}, 0, fields_at[k]
	for i = first, last_of[k] do
		local new = new_text(i)
		if older_of[i] then
			add(forget, home_of[i], older_of[i])
		elseif new == '' then
			add(forget, k, argv[at + i])
		end
		if new and new ~= '' then
			values[sets + 1], values[sets + 2] = argv[at + i], new
			sets = sets + 2
		end
	end
	set[k] = sets > 0 and values
end
for name, memo in pairs(memos) do
	call('SET', name, memo.text, 'PX', memo.ms)
end
for k = 1, hashes do
	write_fields(KEYS[k], set[k], forget[k], ttl[k])
end
return reply
