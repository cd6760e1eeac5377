#!lua
-- The head of every script that is about buckets.  The algorithm's own text
-- follows, then that of the batch or the sweep.
--
-- All numbers are whole and at most 2^53 - 1, LARGEST: up to that, Lua's doubles
-- are exact, and so are the floor and the ceiling of a quotient of two of them.
-- Functions that are rarely needed are defined within others: each call of a
-- script creates all that are defined outside of others.

local call, try = redis.call, redis.pcall
local format, gmatch, match = string.format, string.gmatch, string.match
local floor, tonumber = math.floor, tonumber

local LARGEST = 9007199254740991

-- What a bucket is asked: the amount, the kind, its number, the count, and whether
-- the limit is in shadow.
local OP = '^(-?%d+)([!~+@=]?)(%d*)%*?(%d*)([?]?)$'

-- %d takes half the time of %.0f, but writes all of a number only where C's long
-- has 64 bits.
local ONE = '%.0f'
if format('%d', LARGEST) == '9007199254740991' then
	ONE = '%d'
end

local time = call('TIME')
local now = time[1] * 1000000 + time[2]
