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
--         AMOUNT@STAMP  give back what has not leaked of AMOUNT drops, which were
--                       put in when the bucket's first number became STAMP
--         AMOUNT=STAMP  the same, if no more were put in since
-- Reply: as of a batch.  A step about a bucket that is none is left out.

local reply = {time[1], time[2]}
local buckets, count, made = {}, 0, {}
local set, forget, ttl = {}, {}, {}

local function algorithm_named(name)
	made[name] = made[name] or ALGORITHMS[name]()
	return made[name]
end

-- The algorithm of ${bucket}, with the parameters of its limit.
local function prepared(bucket)
	local algorithm = bucket.algorithm
	if algorithm.at ~= bucket.at then
		algorithm.prepare(argv, bucket.at)
		algorithm.at = bucket.at
	end
	return algorithm
end

-- Take note of the buckets of hash k, whose arguments start at ${at}.  Return which
-- hash is next, and where its arguments start.
local function open_buckets(k, at)
	local algorithm = algorithm_named(argv[at])
	local rest = at + 1 + algorithm.parameters
	local n, m, h = read_counts(argv[rest + 1])
	local field = rest + 2
	local texts, moved, homes = read_fields(k, field, n, m, h)
	ttl[k] = argv[rest]
	for i = 1, n do
		local text = texts[i]
		local bucket = {hash = k, field = argv[field + i - 1], algorithm = algorithm,
			at = at + 1, text = text, older = moved and moved[i], home = homes and homes[i]}
		if texts.err or
			text and #text > SHORT and not has_room(text, algorithm.longest) then
			text = explain(texts, text)
		else
			bucket.a, bucket.b, bucket.is_foreign = prepared(bucket).open(text)
		end
		bucket.held_a, bucket.held_b = bucket.a, bucket.b
		count = count + 1
		buckets[count] = bucket
		reply[count + 2] = text
	end
	return k + 1 + h, field + n + m * n
end

-- What ${op} makes of the bucket, and whether it passes: nil if that is no bucket.
local function try_step(bucket, op)
	local part = {bucket = bucket, passed = true}
	if not bucket.a then
		return nil
	end
	local algorithm = prepared(bucket)
	if op == 'r' then
		part.a, part.b = algorithm.open(false)
		return part
	end
	local amount, kind, number, times, shadow = match(op, OP)
	amount, number = amount + 0, tonumber(number)
	if kind == '@' or kind == '=' then
		part.a, part.b, part.touches = algorithm.give_back(bucket.a, bucket.b,
			amount, number, kind == '=')
		return part
	end
	part.a, part.b, part.passed, part.touches = algorithm.consume(bucket.a, bucket.b,
		amount, tonumber(times) or 1, kind, number)
	part.denies = not part.passed and shadow == ''
	return part
end

local function take_step(step)
	local parts, n, denied = {}, 0, false
	for number, op in gmatch(step, '(%d+) (%S+)') do
		n = n + 1
		parts[n] = try_step(buckets[number + 0], op)
		if not parts[n] then
			return
		end
		denied = denied or parts[n].denies
	end
	for i = 1, n do
		local part, bucket = parts[i], parts[i].bucket
		if not denied or not part.passed then
			bucket.a, bucket.b = part.a, part.b
			bucket.touched = bucket.touched or part.touches
		end
	end
end

-- The text that the bucket must have now; '' for none, nil to leave it alone.
local function text_of(bucket)
	local is_same = bucket.a == bucket.held_a and bucket.b == bucket.held_b
	if not bucket.a or is_same and not (bucket.is_foreign and bucket.touched) then
		return bucket.older and bucket.text
	end
	return prepared(bucket).write(bucket.a, bucket.b)
end

local at, k = 1, 1
while k <= #KEYS do
	k, at = open_buckets(k, at)
end
for i = at, #argv do
	take_step(argv[i])
end
for i = 1, count do
	local bucket = buckets[i]
	local new = text_of(bucket)
	if bucket.older then
		add(forget, bucket.home, bucket.older)
	elseif new == '' then
		add(forget, bucket.hash, bucket.field)
	end
	if new and new ~= '' then
		add(set, bucket.hash, bucket.field, new)
	end
end
for k = 1, #KEYS do
	write_fields(KEYS[k], set[k], forget[k], ttl[k])
end
return reply
