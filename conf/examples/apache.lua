-- Asks dripgated whether a request may go ahead; see apache.conf.

local http = require "socket.http"

local URL = "http://127.0.0.1:14290/check"

-- The headers that routes need, aside from those below.
local PASSED = { "Host", "Cookie", "X-User-Id" }

http.TIMEOUT = 2

function dripgate(r)
	local headers = {
		["X-Original-URI"] = r.unparsed_uri,
		["X-Original-Method"] = r.method,
		["X-Forwarded-For"] = r.useragent_ip,
	}
	-- Where dripgated has users:
	-- headers["Proxy-Authorization"] = "Bearer NAME.SECRET"
	for _, name in ipairs(PASSED) do
		headers[name] = r.headers_in[name]
	end
	-- While dripgated does not respond, requests pass.
	local ok, status, response = http.request {
		method = "HEAD", url = URL, headers = headers, redirect = false,
	}
	if not ok then
		return apache2.DECLINED
	end
	r.err_headers_out["RateLimit"] = response["ratelimit"]
	if status ~= 429 then
		return apache2.DECLINED
	end
	r.err_headers_out["Retry-After"] = response["retry-after"]
	return 429
end
