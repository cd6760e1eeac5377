-- Buckets as fields of hashes, for the scripts that decide on them.

local argv = ARGV

local LONGEST = 64 -- bytes of a bucket: three numbers, and zeros before them

-- "n m": each of n fields has m older names.
local function read_counts(text)
	local n, m = match(text, '^(%d+) ?(%d*)$')
	return n + 0, tonumber(m) or 0
end

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

-- The texts of n fields of the hash ${key}, whose names are in argv from ${field}
-- on, with their m older names behind; and, if there are any, which were found
-- under an older name, and which that is.
local function read_fields(key, field, n, m)
	local texts = try('HMGET', key, unpack(argv, field, field + n - 1))
	if m > 0 and not texts.err then
		return texts, find_older(key, texts, field, n, m)
	end
	return texts
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

