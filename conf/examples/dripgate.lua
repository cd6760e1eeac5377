-- Asks dripgated whether a request may go ahead; see haproxy.cfg.

local URL = "http://127.0.0.1:14290/check"

-- The headers that routes need, aside from those below.
local PASSED = { "host", "cookie", "x-user-id" }

-- While dripgated does not respond, requests pass: it is asked again after this
-- many seconds, since HAProxy takes its time until it gives up.
local PAUSE = 5
local silent_until = 0

core.register_action("dripgate", { "http-req" }, function(txn)
	if core.now().sec < silent_until then
		return
	end
	local headers = {
		["x-original-uri"] = { txn.sf:pathq() },
		["x-original-method"] = { txn.sf:method() },
		["x-forwarded-for"] = { txn.sf:src() },
	}
	-- Where dripgated has users:
	-- headers["proxy-authorization"] = { "Bearer NAME.SECRET" }
	for _, name in ipairs(PASSED) do
		local value = txn.sf:req_fhdr(name)
		if value and value ~= "" then
			headers[name] = { value }
		end
	end
	local response = core.httpclient():get { url = URL, headers = headers, timeout = 2000 }
	local function header(name)
		local values = response.headers and response.headers[name]
		return values and values[0] or ""
	end
	if not response.status or response.status >= 500 then
		silent_until = core.now().sec + PAUSE
		return
	end
	txn:set_var("txn.gate_status", response.status)
	txn:set_var("txn.gate_retry", header("retry-after"))
	if header("ratelimit") ~= "" then
		txn:set_var("txn.gate_limit", header("ratelimit"))
	end
end)
