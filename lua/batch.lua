-- Decide many buckets in one call.  The algorithm, decide(), stands before this
-- text in the same script.
--
-- KEYS  one hash a limit; its fields are the buckets.
-- ARGV  for each hash in turn: three numbers of the limit (what they are is the
--       algorithm's affair), the time to live of the hash in milliseconds, the
--       number of buckets n, the operations ("" if they differ), n fields, and
--       if the operations differ n times the operations on that bucket.  No
--       field of a hash twice; a hash more than once only with the same time to
--       live; n at most 1000: Lua hands a command some 8000 words and no more.
-- Reply: seconds and microseconds of the server's clock, then for each bucket
--       what it was before: its text, or nil for none.  The caller repeats the
--       decisions from that.  Where a hash is not one, the error's text stands
--       in the place of each of its buckets; where a text is too long to be a
--       bucket's, words that are none, since a reply has a bound.
--
-- Everything is read and decided before anything is written.

local argv, call = ARGV, redis.call

local LONGEST = 64 -- bytes of a bucket: two numbers, and zeros before them

local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local reply, replies = {time[1], time[2]}, 2
local set, forget, ttl = {}, {}, {}

local at = 1
for k = 1, #KEYS do
	local a, b, c = tonumber(argv[at]), tonumber(argv[at + 1]), tonumber(argv[at + 2])
	local n, same = tonumber(argv[at + 4]), tonumber(argv[at + 5]) or argv[at + 5]
	local field = at + 6
	local texts = redis.pcall('HMGET', KEYS[k], unpack(argv, field, field + n - 1))
	local values, sets, fields, forgets = {}, 0, {}, 0

	ttl[k] = argv[at + 3]
	at = field + (same == '' and 2 * n or n)
	for i = 0, n - 1 do
		local text = texts[i + 1]
		local new
		if texts.err then
			text = texts.err
		elseif text and #text > LONGEST then
			text = 'a value of ' .. #text .. ' bytes'
		else
			new = decide(text, same == '' and argv[field + n + i] or same, now, a, b, c)
		end
		reply[replies + 1 + i] = text
		if new == '' then
			forgets = forgets + 1
			fields[forgets] = argv[field + i]
		elseif new then
			values[sets + 1], values[sets + 2] = argv[field + i], new
			sets = sets + 2
		end
	end
	replies = replies + n
	set[k], forget[k] = sets > 0 and values, forgets > 0 and fields
end

for k = 1, #KEYS do
	if set[k] then
		call('HSET', KEYS[k], unpack(set[k]))
		call('PEXPIRE', KEYS[k], ttl[k])
	end
	if forget[k] then
		call('HDEL', KEYS[k], unpack(forget[k]))
	end
end
return reply
