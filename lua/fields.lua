-- Buckets as fields of hashes, for the scripts that decide on them.

local argv = ARGV

-- Bytes of a bucket of which a reply may have any number; and those that it may have
-- of longer ones.
local SHORT, ROOM = 128, 860000

-- "n m": each of n fields has m older names.  "n m h": and the hash has h, which
-- come behind it in KEYS; h is m, and each name of a field is in the hash of its own.
local function read_counts(text)
	local n, m, h = match(text, '^(%d+) ?(%d*) ?(%d*)$')
	return n + 0, tonumber(m) or 0, tonumber(h) or 0
end

-- Put values behind those in the list of hash k.
local function add(lists, k, ...)
	local list = lists[k] or {}
	lists[k] = list
	for i = 1, select('#', ...) do
		list[#list + 1] = select(i, ...)
	end
end

-- Look for the n buckets that are missing in ${texts} under their m older names.
-- Return those names, and the places of their hashes in KEYS, by the place of the
-- bucket.
local function find_older(k, texts, field, n, m, h)
	local found, homes = {}, {}
	for older = 1, m do
		local first, home = field + older * n - 1, h > 0 and k + older or k
		local names, places, count = {}, {}, 0
		for i = 1, n do
			if not texts[i] then
				count = count + 1
				names[count], places[count] = argv[first + i], i
			end
		end
		local values = count > 0 and call('HMGET', KEYS[home], unpack(names)) or {}
		for i = 1, count do
			local place = places[i]
			if values[i] then
				texts[place], found[place], homes[place] = values[i], names[i], home
			end
		end
	end
	return found, homes
end

-- The texts of n fields of hash k, whose names are in argv from ${field} on, with
-- their m older names behind; and, if there are any, which were found under an
-- older name, which that is, and in which hash.
local function read_fields(k, field, n, m, h)
	local texts = try('HMGET', KEYS[k], unpack(argv, field, field + n - 1))
	if m > 0 and not texts.err then
		return texts, find_older(k, texts, field, n, m, h)
	end
	return texts
end

-- Whether the reply has room for ${text}, a bucket of at most ${longest} bytes that
-- is not short.
local function has_room(text, longest)
	ROOM = ROOM - #text
	return #text <= longest and ROOM >= 0
end

-- What is told instead of what is none of a bucket's: the key is not a hash, or the
-- text is too long.
local function explain(texts, text)
	return texts.err or 'a value of ' .. #text .. ' bytes'
end

-- Write the fields and values of ${set} to the hash ${key}, and delete the fields
-- of ${forget}; either may be nil.
local function write_fields(key, set, forget, ttl)
	if set then
		local added = call('HSET', key, unpack(set))
		-- Not sooner than another version of the limit wants it.  A hash that
		-- is new has no time to live, and only fields that are new.
		if call('PEXPIRE', key, ttl, 'GT') == 0 and added * 2 == #set then
			call('PEXPIRE', key, ttl, 'NX')
		end
	end
	if forget then
		call('HDEL', key, unpack(forget))
	end
end

