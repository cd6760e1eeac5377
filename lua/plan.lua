-- Decide on buckets of several limits and algorithms in one call, step by step.  A
-- step may be about several buckets: all of them change by it, or, if one of them
-- denies it, none but those that deny it.  ALGORITHMS, with a function for each
-- that makes it, and the functions on fields come before this text in the same
-- script.
--
-- KEYS  one hash a limit; its fields are the buckets.  Behind it its older names, if
--       it has any.
-- ARGV  for each hash in turn: the name of the algorithm, the parameters of the
--       limit, the time to live of the hash in milliseconds, the number of buckets
--       n, "n m" or "n m m", n fields, and m times n older names, all as for a batch.
--       Behind those of the last hash, each argument is a step: "BUCKET OP", or
--       "BUCKET OP BUCKET OP ...".  BUCKET is a number, from 1, in the order of
--       the fields; no bucket twice in a step.  OP is one of
--         AMOUNT        consume; AMOUNT!MOST, AMOUNT+TIME and AMOUNT~ as for a batch
--         ...*COUNT     so many times in a row; in a step about one bucket
--         ...?          but never keep the others from passing
--         r             reset
--         AMOUNT#NAME   hold, and #NAME to release, as for a batch; alone in a step
--         AMOUNT@STAMP  give back what has not leaked of AMOUNT drops, which were
--                       put in when the bucket's first number became STAMP
--         AMOUNT=STAMP  the same, if no more were put in since
-- Reply: as of a batch.  A step about a bucket that is none is left out.

local reply = {time[1], time[2]}
local made = {}

-- By the place of a hash in KEYS.
local algorithm_of, limit_at = {}, {}
local set, forget, ttl = {}, {}, {}

-- By the number of a bucket: where it is, what it holds and held, false for none, and
-- whether its text must be of this recharge.
local count = 0
local hash_of, field_at, text_of, older_of, home_of = {}, {}, {}, {}, {}
local a, b, held_a, held_b, is_foreign, touched = {}, {}, {}, {}, {}, {}

-- By the place in a step: the bucket, and what the step makes of it.
local part, new_a, new_b, passes, touches = {}, {}, {}, {}, {}

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
	ttl[k] = argv[rest]
	for i = 1, n do
		local text = texts[i]
		count = count + 1
		hash_of[count], field_at[count] = k, field + i - 1
		if moved and moved[i] then
			text_of[count], older_of[count], home_of[count] = text, moved[i], homes[i]
		end
		if texts.err or
			text and #text > SHORT and not has_room(text, made[name].longest) then
			text = explain(texts, text)
			a[count] = false
		else
			local held, block, foreign = open(text)
			a[count], b[count], is_foreign[count] = held or false, block, foreign
		end
		held_a[count], held_b[count] = a[count], b[count]
		reply[count + 2] = text
	end
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
	local fill, block, passed, touches = algorithm.consume(a[i], b[i], amount,
		tonumber(times) or 1, kind, number)
	return fill, block, passed, touches, not passed and shadow == ''
end

-- Most steps consume an amount.
local function take_step(step)
	local n, denied = 0, false
	for number, op in gmatch(step, '(%d+) (%S+)') do
		local i, amount, denies = number + 0, tonumber(op), false
		if not a[i] then
			return
		end
		n = n + 1
		part[n] = i
		if amount then
			new_a[n], new_b[n], passes[n], touches[n] =
				prepared(hash_of[i]).consume(a[i], b[i], amount, 1, '')
			denies = not passes[n]
		else
			new_a[n], new_b[n], passes[n], touches[n], denies = try_op(i, op)
		end
		denied = denied or denies
	end
	for p = 1, n do
		if not denied or not passes[p] then
			local i = part[p]
			a[i], b[i] = new_a[p], new_b[p]
			touched[i] = touched[i] or touches[p]
		end
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

local at, k = 1, 1
while k <= #KEYS do
	k, at = open_buckets(k, at)
end
for i = at, #argv do
	take_step(argv[i])
end
for i = 1, count do
	local new = new_text(i)
	if older_of[i] then
		add(forget, home_of[i], older_of[i])
	elseif new == '' then
		add(forget, hash_of[i], argv[field_at[i]])
	end
	if new and new ~= '' then
		local values = set[hash_of[i]] or {}
		set[hash_of[i]] = values
		values[#values + 1] = argv[field_at[i]]
		values[#values + 1] = new
	end
end
for k = 1, #KEYS do
	write_fields(KEYS[k], set[k], forget[k], ttl[k])
end
return reply
