"""POST /json: Envoy's rate limit service in JSON, as envoyproxy/ratelimit has it."""

import base64
import json
import os
import subprocess

import harness
from test_http import HttpCase

LIMITS = """
[user]
match = web/user=*
segments = yes
algorithm = fixed_window
capacity = 3
window = 365d

[path]
match = web/path=*
capacity = 10
rate = 10/d

[odd]
match = web/odd=*
capacity = 7
recharge = 1h

[hidden]
match = web/hidden=*
capacity = 1
recharge = 1h
shadow = yes

[tenant]
match = web/tenant=*
capacity = 5
recharge = 1h
also = daily:$1

[daily]
match = daily:*
capacity = 2
recharge = 1h
"""


def one(key, value=None, **more):
    return {"entries": [{"key": key, **({} if value is None else {"value": value})}], **more}


class DescriptorsCase(HttpCase):
    def post(self, connection, body, **headers):
        headers = {"Content_Type": "application/json", **headers}
        return self.ask(connection, "/json", body, **headers)


class JsonTest(DescriptorsCase):
    def setUp(self):
        super().setUp()
        self.gate = self.start(LIMITS)
        self.client = self.connection(self.gate.port)

    def limit(self, *descriptors, domain="web", **more):
        """The status, and the message, of which the time until a reset is checked."""
        response, message = self.ask_json(
            self.client, "/json", {"domain": domain, "descriptors": descriptors, **more})
        self.assertEqual(response.headers["Content-Type"], "application/json")
        for status in message["statuses"]:
            self.assertEqual("durationUntilReset" in status, "currentLimit" in status)
            if "currentLimit" in status:
                self.assertRegex(status.pop("durationUntilReset"), r"^\d+(\.\d{6})?s$")
        return response.status, message

    def level(self, key):
        return int(harness.fields(self.gate.ask(f"peek {key}"))["level"])

    def test_a_decision(self):
        limit = {"requestsPerUnit": 3, "unit": "YEAR", "name": "user"}
        for left in 2, 1:
            self.assertEqual(self.limit(one("user", "1")), (200, {
                "overallCode": "OK", "statuses": [
                    {"code": "OK", "currentLimit": limit, "limitRemaining": left}]}))
        self.assertEqual(self.limit(one("user", "1")), (200, {
            "overallCode": "OK", "statuses": [{"code": "OK", "currentLimit": limit}]}))
        self.assertEqual(self.limit(one("user", "1")), (429, {
            "overallCode": "OVER_LIMIT", "statuses": [
                {"code": "OVER_LIMIT", "currentLimit": limit}]}))
        self.assertEqual(self.level("web/user=1"), 3)

    def test_descriptors_become_keys_as_over_grpc(self):
        self.limit({"entries": [{"key": "user", "value": "a/b %=\u00e9\u0001"}]},
                   one("user"), {"entries": []})
        self.assertEqual(self.level("web/user=a%2Fb%20%25=\u00e9%01"), 1)
        self.assertEqual(self.level("web/user"), 1)
        for value in "y" * 600, "y" * 700:
            self.limit(one("path", value))
        self.assertEqual(self.limit(one("path", "y" * 512))[1]["statuses"][0]["limitRemaining"],
                         7)

    def test_statuses_are_in_the_order_of_descriptors(self):
        status, message = self.limit(
            one("other"), one("path", "1"), one("user", "1"), one("path", "1"),
            one("odd", "1"), one("tenant", "1"), one("nothing", "1"))
        self.assertEqual(status, 200)
        self.assertEqual([(one.get("currentLimit", {}).get("name"), one.get("limitRemaining"))
                          for one in message["statuses"]],
                         [(None, None), ("path", 8), ("user", 2), ("path", 8), ("odd", 6),
                          ("tenant", 4), (None, None)])
        units = [one["currentLimit"].get("unit") for one in message["statuses"][1:6]]
        self.assertEqual(units, ["DAY", "YEAR", "DAY", None, None])
        self.assertEqual(self.level("daily:1"), 1)

    def test_all_are_charged_or_none(self):
        for _ in range(3):
            self.limit(one("user", "1"), one("path", "1"))
        status, message = self.limit(one("path", "1"), one("user", "1"))
        self.assertEqual((status, [one["code"] for one in message["statuses"]]),
                         (429, ["OK", "OVER_LIMIT"]))
        self.assertEqual(self.level("web/path=1"), 3)

    def test_one_descriptor_of_a_limit_that_charges_others(self):
        for code in "OK", "OK", "OVER_LIMIT":
            self.assertEqual(self.limit(one("tenant", "1"))[1]["overallCode"], code)

    def test_what_has_no_limit_or_only_a_shadow_passes(self):
        self.assertEqual(self.limit(one("x")),
                         (200, {"overallCode": "OK", "statuses": [{"code": "OK"}]}))
        for _ in range(3):
            status, message = self.limit(one("hidden", "1"))
        self.assertEqual((status, message["statuses"][0]["code"]), (200, "OK"))

    def test_hits(self):
        def left(descriptor, **more):
            return self.limit(descriptor, **more)[1]["statuses"][0].get("limitRemaining", 0)

        self.assertEqual(left(one("path", "h"), hitsAddend=4), 6)
        self.assertEqual(left(one("path", "h"), hits_addend="1"), 5)
        self.assertEqual(left(one("path", "h"), hitsAddend=0), 4)
        self.assertEqual(left(one("path", "h", hitsAddend=2), hitsAddend=9), 2)
        self.assertEqual(left(one("path", "h", hits_addend="0")), 2)
        self.assertEqual(left(one("path", "h", hitsAddend=5, isNegativeHits=True)), 7)
        self.assertEqual(left(one("path", "h", hitsAddend=None, isNegativeHits=False)), 6)
        # One that comes along has a bucket of its own.
        own = one("path", "h", limit={"requestsPerUnit": 2, "unit": "DAY"})
        for code in "OK", "OK", "OVER_LIMIT":
            status = self.limit(own)[1]["statuses"][0]
            self.assertEqual((status["code"], status["currentLimit"]),
                             (code, {"requestsPerUnit": 2, "unit": "DAY"}))
        self.assertEqual(left(one("path", "h", limit={"requestsPerUnit": 1, "unit": 1})), 0)
        self.assertEqual(left(one("path", "h")), 5)
        self.assertEqual(self.limit(one("path", "h", hitsAddend=2 ** 63))[0], 429)

    def test_fields_in_any_order_and_form(self):
        for body in (
                '{"descriptors":[{"entries":[{"value":"1","key":"user"}]}],"domain":"web"}',
                ' { "hitsAddend" : null , "domain":"\\u0077eb","descriptors":\n'
                '[ {"entries" : [ {"key":"user","value":"1"} ] } ] } '):
            response = self.post(self.client, body)
            self.assertEqual(response.status, 200, response.content)
        self.assertEqual(self.level("web/user=1"), 2)

    def test_a_limit_that_is_none(self):
        for limit in '{"unit":"EON"}', '{"requestsPerUnit":1}', '{"unit":"YEAR"}', '{"unit":8}':
            self.refuse('{"domain":"web","descriptors":[{"entries":[{"key":"a"}],"limit":%s}]}'
                        % limit, 400, "badlimit")

    def refuse(self, body, status, code, **headers):
        response = self.post(self.client, body, **headers)
        self.assertEqual((response.status, json.loads(response.content)["code"]),
                         (status, code), body)

    def test_what_is_no_request_is_refused(self):
        fine = '{"domain":"web","descriptors":[{"entries":[{"key":"user"}]}]}'
        self.assertEqual(self.post(self.client, fine).status, 200)
        for i in range(len(fine)):
            self.refuse(fine[:i], 400, "badjson")
        for old, new in (('"web"', "5"), ('"web"', "[]"), ('"key"', '"name"'), ("}]}", "}]},"),
                         ('"entries":[', '"entries":{'), ("descriptors", "Descriptors"),
                         ('"web"', '"web","domain":"web"'), ('"web"', '"web","x":null'),
                         ('"web"', '"web","hitsAddend":-1'), ('"web"', '"web","hitsAddend":1.5'),
                         ('"web"', '"web","hitsAddend":4294967296'),
                         ('"web"', '"web","hitsAddend":""'),
                         ('"entries"', '"hitsAddend":-1,"entries"'),
                         ('"entries"', '"isNegativeHits":1,"entries"'),
                         ('"entries"', '"limit":{"x":1},"entries"'),
                         ('"entries"', '"limit":' + "[" * 5000 + ',"entries"')):
            self.assertIn(old, fine)
            self.refuse(fine.replace(old, new, 1), 400, "badjson")
        self.refuse(fine + "x", 400, "badjson")
        self.refuse(fine.replace("web", ""), 400, "nodomain")
        self.refuse('{"descriptors":[{}]}', 400, "nodomain")
        self.refuse('{"domain":"web"}', 400, "nodescriptors")
        self.refuse('{"domain":"web","descriptors":[]}', 400, "nodescriptors")
        self.refuse(json.dumps({"domain": "web", "descriptors": [{}] * 17}), 400, "toomany")
        self.refuse(fine, 415, "badtype", Content_Type="text/plain")
        self.assertEqual(self.ask(self.client, "/json").status, 405)
        self.assertEqual(self.level("web/user"), 1)

    def test_a_page_of_another_site_cannot_ask(self):
        body = json.dumps({"domain": "web", "descriptors": [one("user", "1")]})
        for code, headers in (("forbidden", {"Origin": "http://evil.example"}),
                              ("forbidden", {"Origin": "null"}),
                              ("forbidden", {"Sec_Fetch_Site": "cross-site"}),
                              ("forbidden", {"Sec_Fetch_Site": "same-site"}),
                              ("badhost", {"Host": "evil.example"})):
            for kind in "application/json", "application/x-www-form-urlencoded":
                self.refuse(body, 403, code, Content_Type=kind, **headers)
        self.assertEqual(self.level("web/user=1"), 0)
        response = self.post(self.client, body,
                             Origin=f"http://127.0.0.1:{self.gate.port}")
        self.assertEqual(response.status, 200)

    def test_only_where_decisions_are(self):
        body = json.dumps({"domain": "web", "descriptors": [one("user", "1")]})
        for port, status in ((self.http_port, 200), (self.admin_port, 404)):
            self.assertEqual(self.post(self.connection(port), body).status, status)

    def test_requests_in_a_row_and_in_chunks(self):
        client = self.raw(("127.0.0.1", self.gate.port))

        def request(i):
            body = json.dumps({"domain": "web", "descriptors": [one("path", str(i))] * (i + 1)})
            half = len(body) // 2
            return (f"POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    f"Transfer-Encoding: chunked\r\n\r\n{half:x}\r\n{body[:half]}\r\n"
                    f"{len(body) - half:x}\r\n{body[half:]}\r\n0\r\n\r\n").encode()

        client.send(b"".join(request(i) for i in range(10)))
        for i in range(10):
            status, _, body = client.response()
            self.assertEqual((status, len(json.loads(body)["statuses"])), (200, i + 1))
        for byte in request(3):
            client.send(bytes([byte]))
        self.assertEqual(len(json.loads(client.response()[2])["statuses"]), 4)


class UsersTest(DescriptorsCase):
    def test_users(self):
        secret = subprocess.run([harness.DRIPGATE, "hash"], check=True, input="s3cret\n",
                                text=True, capture_output=True).stdout.strip()
        users = os.path.join(self.folder, "users")
        with open(users, "w", encoding="utf-8") as file:
            file.write(f"web {secret} verbs=decide keys=web/*\n")
        gate = self.start(LIMITS, {"listen": {"users": users}})
        login = {"Authorization": "Basic " + base64.b64encode(b"web:s3cret").decode()}
        for domain, headers, status in (("web", {}, 401), ("web", login, 200),
                                        ("other", login, 403)):
            body = json.dumps({"domain": domain, "descriptors": [one("user", "1")]})
            response = self.post(self.connection(gate.port), body, **headers)
            self.assertEqual(response.status, status)


class UnmatchedTest(DescriptorsCase):
    def test_what_has_no_limit(self):
        body = json.dumps({"domain": "x", "descriptors": [one("user", "1"), one("y")]})
        for unmatched, status, code in (("deny", 429, "OVER_LIMIT"), ("error", 404, None)):
            gate = self.start(LIMITS, {"limits": {"unmatched": unmatched}})
            response = self.post(self.connection(gate.port), body)
            self.assertEqual(response.status, status)
            self.assertEqual(json.loads(response.content).get("overallCode"), code)
            gate.stop()


class RedisTest(HttpCase):
    def test_limits_in_redis(self):
        self.http_port, self.admin_port = harness.free_port(), harness.free_port()
        redis = self.redis()
        gate = self.redis_daemon(redis, LIMITS)
        self.redis_level(gate, "web/user=0")
        client = self.connection(gate.port)
        for left in (2, 1, 0):
            _, message = self.ask_json(client, "/json", {
                "domain": "web", "descriptors": [one("x"), one("user", "1"), one("path", "a")]})
            self.assertEqual([status.get("limitRemaining", 0)
                              for status in message["statuses"]], [0, left, left + 7])
        response, message = self.ask_json(client, "/json", {
            "domain": "web", "descriptors": [one("user", "1"), one("path", "a")]})
        self.assertEqual((response.status, message["statuses"][0]["code"]), (429, "OVER_LIMIT"))


if __name__ == "__main__":
    harness.main()
