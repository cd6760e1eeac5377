-- Decide many buckets in one call.  The algorithm, prepare() and decide(), comes
-- before this text in the same script.
--
-- KEYS  one hash a limit; its fields are the buckets.  Behind it its older names, if
--       it has any.
-- ARGV  for each hash in turn: the parameters of the limit (the algorithm says how
--       many, and which), the time to live of the hash in milliseconds, the number
--       of buckets n, the operations ("" if they differ), n fields, and, if the
--       operations differ, n times the operations on that bucket.  Operations are
--       words: AMOUNT, to consume, AMOUNT!MOST, to charge while the bucket holds no
--       more than MOST drops then, AMOUNT+TIME, to put in what has room within so
--       many microseconds, AMOUNT~, to take as many as fit, each with *COUNT behind
--       it if it is so many times in a row, r, to reset, and AMOUNT#NAME, to
--       hold under a name, and #NAME, to release that.  Instead of n,
--       "n m": each field has m older names, and m times n of those come behind
--       the fields; what is under one of them moves to the field.  "n m m": the
--       hash has m older names, too, and each name of a field is in the hash of
--       its own.  No field of a hash twice; a hash more than once only with the
--       same time to live; n at most 1000: Lua passes some 8000 words to a command
--       and no more.
-- Reply: seconds and microseconds of the server's clock, then each bucket as it
--       was before: its text, or nil for none, or a shorter text about which the
--       operations decide the same.  The caller repeats the decisions from that.
--       Where a key is not a hash, each of its buckets is the error's text; where a
--       text is too long to be a bucket's, or for what a reply may have of such in
--       all, it is a sentence with its length.
--
-- The script reads and decides everything before it writes anything.

local reply, replies = {time[1], time[2]}, 2
local set, forget, ttl = {}, {}, {}

local at, k = 1, 1
while k <= #KEYS do
	local rest = at + PARAMETERS
	local n, same = tonumber(argv[rest + 1]), tonumber(argv[rest + 2]) or argv[rest + 2]
	local m, h = 0, 0
	if not n then
		n, m, h = read_counts(argv[rest + 1])
	end
	local field = rest + 3
	local behind = field + n + m * n
	local texts, moved, homes = read_fields(k, field, n, m, h)
	local foreign, values, sets = texts.err, {}, 0

	prepare(argv, at)
	ttl[k] = argv[rest]
	at = behind
	if same == '' then
		same, at = nil, behind + n
	end
	for i = 1, n do
		local text, new, told = texts[i], nil, nil
		if foreign or text and #text > SHORT and not has_room(text, LONGEST) then
			told = explain(texts, text)
		else
			new, told = decide(text, same or argv[behind + i - 1])
		end
		reply[replies + i] = told or text
		local older = moved and moved[i]
		if older then
			new = new or text
			add(forget, homes[i], older)
		elseif new == '' then
			add(forget, k, argv[field + i - 1])
		end
		if new and new ~= '' then
			sets = sets + 2
			values[sets - 1], values[sets] = argv[field + i - 1], new
		end
	end
	replies = replies + n
	set[k] = sets > 0 and values
	k = k + 1 + h
end

for k = 1, #KEYS do
	write_fields(KEYS[k], set[k], forget[k], ttl[k])
end
return reply
