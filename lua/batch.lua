-- Decide many buckets in one call.  The algorithm, prepare() and decide(), comes
-- before this text in the same script.
--
-- KEYS  one hash a limit; its fields are the buckets.
-- ARGV  for each hash in turn: the parameters of the limit (the algorithm says how
--       many, and which), the time to live of the hash in milliseconds, the number
--       of buckets n, the operations ("" if they differ), n fields, and, if the
--       operations differ, n times the operations on that bucket.  Instead of n,
--       "n m": each field has m older names, and m times n of those come behind
--       the fields; what is under one of them moves to the field.  No field of a
--       hash twice; a hash more than once only with the same time to live; n at
--       most 1000: Lua passes some 8000 words to a command and no more.
-- Reply: seconds and microseconds of the server's clock, then each bucket as it
--       was before: its text, or nil for none.  The caller repeats the decisions
--       from that.  Where a key is not a hash, each of its buckets is the error's
--       text; where a text is too long to be a bucket's, it is a sentence with
--       its length, since a reply has a bound.
--
-- The script reads and decides everything before it writes anything.

local argv = ARGV

local LONGEST = 64 -- bytes of a bucket: three numbers, and zeros before them

local reply, replies = {time[1], time[2]}, 2
local set, forget, ttl = {}, {}, {}

-- Look for the n buckets that are missing in ${texts} under their m older names.
-- Return those names, by the place of the bucket.
local function find_older(key, texts, field, n, m)
	local found = {}
	for first = field + n - 1, field + m * n - 1, n do
		local names, places, count = {}, {}, 0
		for i = 1, n do
			if not texts[i] then
				count = count + 1
				names[count], places[count] = argv[first + i], i
			end
		end
		local older = count > 0 and call('HMGET', key, unpack(names)) or {}
		for k = 1, count do
			if older[k] then
				texts[places[k]], found[places[k]] = older[k], names[k]
			end
		end
	end
	return found
end

local at = 1
for k = 1, #KEYS do
	local rest = at + PARAMETERS
	local n, same = tonumber(argv[rest + 1]), tonumber(argv[rest + 2]) or argv[rest + 2]
	local m, moved = 0, nil
	if not n then
		n, m = match(argv[rest + 1], '^(%d+) (%d+)$')
		n, m = n + 0, m + 0
	end
	local field = rest + 3
	local behind = field + n + m * n
	local texts = try('HMGET', KEYS[k], unpack(argv, field, field + n - 1))
	if m > 0 and not texts.err then
		moved = find_older(KEYS[k], texts, field, n, m)
	end
	local values, sets, fields, forgets = {}, 0, {}, 0

	prepare(argv, at)
	ttl[k] = argv[rest]
	at = behind + (same == '' and n or 0)
	for i = 0, n - 1 do
		local text = texts[i + 1]
		local new
		if texts.err then
			text = texts.err
		elseif text and #text > LONGEST then
			text = 'a value of ' .. #text .. ' bytes'
		else
			new = decide(text, same == '' and argv[behind + i] or same)
		end
		reply[replies + 1 + i] = text
		local older = moved and moved[i + 1]
		if older then
			new = new or texts[i + 1]
		end
		if older or new == '' then
			forgets = forgets + 1
			fields[forgets] = older or argv[field + i]
		end
		if new and new ~= '' then
			values[sets + 1], values[sets + 2] = argv[field + i], new
			sets = sets + 2
		end
	end
	replies = replies + n
	set[k], forget[k] = sets > 0 and values, forgets > 0 and fields
end

for k = 1, #KEYS do
	if set[k] then
		local added = call('HSET', KEYS[k], unpack(set[k]))
		-- Not sooner than another version of the limit wants it.  A hash that
		-- is new has no time to live, and only fields that are new.
		if call('PEXPIRE', KEYS[k], ttl[k], 'GT') == 0 and added * 2 == #set[k] then
			call('PEXPIRE', KEYS[k], ttl[k], 'NX')
		end
	end
	if forget[k] then
		call('HDEL', KEYS[k], unpack(forget[k]))
	end
end
return reply
