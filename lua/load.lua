#!lua
-- Put a list in the place of a sorted set, and keep it in the history beside that:
-- all of it, or nothing.
--
-- KEYS  the sorted set; its history, a hash.
-- ARGV  the digest of the set that the caller saw, as limits.lua makes it, "" for
--       any; "force" to begin a new history where there is none that can be gone on
--       with, or ""; how many sets to keep; the author; the message; the members,
--       in their order.
-- Reply: "loaded", the number of the new set, and that of the set before it; or
--        why nothing was changed, and a detail: "changed", "large", "foreign",
--        "newer" or "torn".
--
-- The history has "version"; "last", the last number, and "digest", of that set;
-- and for each number N, "N", "TIME COUNT DIGEST\nAUTHOR\nMESSAGE", and "N:set", each
-- member with its length before it.  Numbers go on where they ended.  A set that
-- something else put in the key gets a number of its own before it is replaced.

local call = redis.call
local limits, history = KEYS[1], KEYS[2]
local seen, force, keep = ARGV[1], ARGV[2] == 'force', tonumber(ARGV[3])
local author, message, FIRST = ARGV[4], ARGV[5], 6

local VERSION = '1'
local PIECE = 500

-- What a set from elsewhere may have at most to be kept, and the fields of a history.
local MEMBERS, BYTES, FIELDS = 10000, 4194304, 1000

-- Check before the first change: a script that ends halfway has changed half.
local function may(...)
	if not redis.acl_check_cmd(...) then
		error({err = 'NOPERM this user may not call ' .. select(1, ...) .. ' on ' ..
			select(2, ...)})
	end
end
may('UNLINK', limits)
may('ZADD', limits, '1', 'x')
may('UNLINK', history)
may('HSET', history, 'x', 'x')
may('HDEL', history, 'x')

-- The set as it is: its text, and how many members it has.  Nil: too large, or no set.
local function present()
	local kind = call('TYPE', limits).ok
	if kind == 'none' then
		return '', 0
	end
	local count = kind == 'zset' and call('ZCARD', limits) or MEMBERS + 1
	if count > MEMBERS then
		return nil
	end
	local parts, total = {}, 0
	for first = 0, count - 1, PIECE do
		local piece = call('ZRANGE', limits, first, first + PIECE - 1)
		for i = 1, #piece do
			total = total + #piece[i]
			if total > BYTES then
				return nil
			end
			parts[first + i] = #piece[i] .. ':' .. piece[i]
		end
	end
	return table.concat(parts), count
end

-- The last number, and the digest of its set; or nil, why there is none, a detail.
local function last_of()
	local kind = call('TYPE', history).ok
	if kind == 'none' then
		return 0, ''
	end
	if kind ~= 'hash' then
		return nil, 'foreign', kind
	end
	local version = call('HGET', history, 'version')
	local last = call('HGET', history, 'last') or ''
	if not version then
		return nil, 'foreign', kind
	end
	if version ~= VERSION then
		return nil, version:match('^[1-9]%d?%d?$') and 'newer' or 'foreign', 'version ' .. version
	end
	if not last:match('^%d+$') or #last > 13 or call('HLEN', history) > FIELDS then
		return nil, 'torn', ''
	end
	return tonumber(last), call('HGET', history, 'digest') or ''
end

local time = call('TIME')[1]
local function keep_set(number, when, who, what, text, count, digest)
	call('HSET', history, 'version', VERSION, 'last', number, 'digest', digest,
		number, table.concat({when .. ' ' .. count .. ' ' .. digest, who, what}, '\n'),
		number .. ':set', text)
end

local text, count = present()
local digest = text and redis.sha1hex(text)
if seen ~= '' and not text then
	return {'large', ''}
end

local last, digest_of_last, detail = last_of()
if not last and not force then
	return {digest_of_last, detail}
end
if seen ~= '' and digest ~= seen then
	return {'changed', last and digest == digest_of_last and 'number ' .. last or ''}
end

local old = last and call('HKEYS', history) or {}

-- From here on, all goes well.
if not last then
	call('UNLINK', history)
	last, digest_of_last = 0, ''
end
if text and count > 0 and digest ~= digest_of_last then
	last = last + 1
	keep_set(last, '0', '', '', text, count, digest)
end

local parts = {}
call('UNLINK', limits)
for first = FIRST, #ARGV, PIECE do
	local words = {}
	for i = first, math.min(first + PIECE - 1, #ARGV) do
		words[#words + 1] = (i - FIRST + 1) * 10
		words[#words + 1] = ARGV[i]
		parts[#parts + 1] = #ARGV[i] .. ':' .. ARGV[i]
	end
	call('ZADD', limits, unpack(words))
end
text = table.concat(parts)
keep_set(last + 1, time, author, message, text, #parts, redis.sha1hex(text))

for _, field in ipairs(old) do
	local number = tonumber(field:match('^(%d+)$') or field:match('^(%d+):set$'))
	if number and number <= last + 1 - keep then
		call('HDEL', history, field)
	end
end
return {'loaded', tostring(last + 1), tostring(last)}
