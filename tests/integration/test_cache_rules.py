"""The cache of upstreams by the rules of HTTP: the cases of the public suite "cache-tests"
that are meant for a cache which clients share, in words of our own, and some more."""

import email.utils
import http.server
import re
import time

import cache_cases
import harness
from cache_cases import FRESH
from test_upstream import Server, UpstreamCase

HEADERS = ("Accept Accept-Language Authorization Cookie-2 Foo Bar Baz Range If-Range If-Match "
           "If-Unmodified-Since If-None-Match If-Modified-Since")
METHODS = "GET HEAD POST PUT DELETE PATCH M-SEARCH OPTIONS"
NO_BODY = 204, 304


def dated(text):
    """Put dates in place of <N>."""
    return re.sub(r"<(-?\d+)>", lambda match: email.utils.formatdate(
        time.time() + int(match[1]), usegmt=True), text)


def lines(text):
    """Header lines as pairs."""
    return [tuple(line.split(":", 1)) for line in text.split(" | ") if line]


class RulesHandler(http.server.BaseHTTPRequestHandler):
    """A server that responds with what the test says: to each path in turn, and the last
    one from then on.  It compares what it is asked to compare."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            said = self.server.asked.setdefault(self.path, [])
            said.append((self.command, self.headers))
            number = len(said)
        plan = self.server.plans.get(self.path, [FRESH])
        plan = plan[min(number, len(plan)) - 1]
        if callable(plan):
            plan(self)
        else:
            self.respond(plan, b"%d" % number)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer
    locals()["do_M-SEARCH"] = answer

    def respond(self, plan, body):
        status, fields = 200, lines(plan)
        if fields and len(fields[0]) == 1:
            status = int(fields.pop(0)[0])
        for name, condition in ("etag", "If-None-Match"), ("last-modified", "If-Modified-Since"):
            values = [value.strip() for key, value in fields if key.lower() == name]
            if values and self.headers[condition] == values[0]:
                status = 304
        if status not in NO_BODY and "content-length" not in plan.lower():
            fields.append(("Content-Length", f" {len(body)}"))
        head = "".join(f"{key}:{value}\r\n" for key, value in fields)
        whole = f"HTTP/1.1 {status} X\r\n{head}\r\n".encode("latin-1")
        if status not in NO_BODY and self.command != "HEAD":
            whole += body
        self.wfile.write(whole)

    def raw(self, data):
        self.wfile.write(data)

    def lose(self):
        """End the connection in place of a response."""
        self.close_connection = True


class RulesServer(Server):
    def __init__(self):
        super().__init__()
        self.RequestHandlerClass = RulesHandler
        self.asked, self.plans = {}, {}


class RulesCase(UpstreamCase):
    def setUp(self):
        super().setUp()
        server = RulesServer()
        self.addCleanup(server.close)
        self.cases = 0
        self.serve({"request_headers": HEADERS, "methods": METHODS, "cache_ttl": "30d",
                    "failures": "0", "retries": "0"}, server=server)
        self.client = self.connection(self.http_port)

    def plan(self, *responses):
        """A path of its own, and what the server responds with there."""
        self.cases += 1
        path = f"/{self.cases}"
        self.server.plans[path] = [dated(plan) if isinstance(plan, str) else plan
                                   for plan in responses]
        return path

    def fetch(self, path, request="", method="GET", body=None):
        self.client.putrequest(method, f"/upstream/api{path}", skip_accept_encoding=True)
        for name, value in lines(dated(request)):
            self.client.putheader(name, value.strip().encode("latin-1"))
        if body is not None:
            self.client.putheader("Content-Length", str(len(body)))
        self.client.endheaders(body)
        response = self.client.getresponse()
        response.content = response.read()
        return response

    def asked(self, path):
        return self.server.asked.get(path, [])

    def second(self, response, first="", second=""):
        """What the second client sees."""
        path = self.plan(response)
        self.fetch(path, first)
        before = len(self.asked(path))
        got = self.fetch(path, second)
        more = self.asked(path)[before:]
        cache = got.headers["X-Cache"]
        if cache == "stale":
            self.assertIn(got.content, (b"1", b""))
            return cache
        if cache in ("miss", "bypass"):
            self.assertEqual(len(more), 1)
            self.assertIn(got.content, (b"%d" % (before + 1), b""))
            return cache
        self.assertEqual(cache, "hit")
        self.assertIn(got.content, (b"1", b""))
        if got.status == 304 and not response.startswith("304"):
            return "unchanged"
        self.assertLessEqual(len(more), 1)
        return "valid" if more else "hit"


class TableTest(RulesCase):
    def test_second_client_sees_what_the_rules_say(self):
        rows = [(f"{group}: {name}", "", response, "", wanted)
                for group, table in cache_cases.SIMPLE.items()
                for name, response, wanted in table]
        for name, first, response, second, wanted in rows + cache_cases.REQUESTS:
            with self.subTest(name):
                self.assertEqual(self.second(response, first, second), wanted)

    def test_stale_responses_take_the_place_of_errors_where_they_may(self):
        for name, response, request, is_used in cache_cases.ERRORS:
            for failure in RulesHandler.lose, "503", "500", "504":
                with self.subTest(name, failure=failure):
                    path = self.plan(response, failure)
                    self.fetch(path)
                    got = self.fetch(path, request)
                    if is_used:
                        self.assertEqual((got.status, got.headers["X-Cache"], got.content),
                                         (200, "stale", b"1"))
                    else:
                        self.assertGreaterEqual(got.status, 500)
                        self.assertEqual(len(self.asked(path)), 2)


class UpdateTest(RulesCase):
    """What a 304 changes of what is stored."""

    KEPT = {"Content-Encoding": "x-old", "Content-Range": "old"}
    CHANGED = {"Test": "old", "X-Test": "old", "Content-Foo": "old", "Content-Type": "a/old",
               "Content-Location": "/old", "Content-MD5": "old", "ETag": '"a"',
               "Expires": "Sat, 01 Jan 2000 00:00:00 GMT", "X-Frame-Options": "deny",
               "X-XSS-Protection": "1"}
    NOT_STORED = ("Connection", "Keep-Alive", "Proxy-Authenticate",
                  "Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Connection", "TE",
                  "Upgrade", "X-Cache", "Trailer")

    def test_headers_of_a_304_take_the_place_of_those_that_are_stored(self):
        old = {**self.KEPT, **self.CHANGED}
        new = {name: value.replace("old", "new").replace("01 Jan", "02 Jan") for name, value in
               old.items()}
        new["X-Frame-Options"], new["X-XSS-Protection"] = "sameorigin", "0"
        stale = " | ".join(["Cache-Control: max-age=0",
                            *(f"{name}: {value}" for name, value in old.items())])
        fresh = " | ".join([FRESH, *(f"{name}: {value}" for name, value in new.items())])
        path = self.plan(stale, fresh)
        self.fetch(path)
        kept = {name: dated(value) for name, value in self.KEPT.items()}
        for count in 2, 2:
            got = self.fetch(path)
            self.assertEqual((got.headers["X-Cache"], got.content), ("hit", b"1"))
            self.assertEqual(len(self.asked(path)), count)
            for name, value in {**new, **kept}.items():
                self.assertEqual(got.headers.get_all(name), [dated(value)], name)
            self.assertEqual(got.headers.get_all("Cache-Control"), ["max-age=3600"])

    def test_headers_of_a_304_that_may_not_pass_are_not_stored(self):
        """What a 304 has goes to clients like what is in any other response."""
        kept_back = "X-Cache", "Alt-Svc", "Strict-Transport-Security", "Content-Security-Policy"
        path = self.plan('Cache-Control: max-age=2 | Age: 9 | ETag: "a" | A: 1',
                         f'304 | {FRESH} | ETag: "a" | A: 2' +
                         "".join(f" | {name}: evil" for name in kept_back))
        self.fetch(path)
        for _ in range(2):
            got = self.fetch(path)
            self.assertEqual((got.headers.get_all("X-Cache"), got.headers["A"]), (["hit"], "2"))
            for name in kept_back:
                self.assertNotIn("evil", got.headers.get_all(name, []), name)

    def test_headers_that_a_304_leaves_out_stay(self):
        path = self.plan('Cache-Control: max-age=0 | ETag: "a" | Test: old | Test: older',
                         'ETag: "a" | Cache-Control: max-age=100')
        self.fetch(path)
        got = self.fetch(path)
        self.assertEqual(got.headers.get_all("Test"), ["old", "older"])
        self.assertEqual(self.fetch(path).headers["Cache-Control"], "max-age=100")
        self.assertEqual(len(self.asked(path)), 2)

    def test_length_of_a_304_says_nothing(self):
        path = self.plan('Cache-Control: max-age=0 | ETag: "a"',
                         'Cache-Control: max-age=0 | ETag: "a" | Content-Length: 10')
        self.fetch(path)
        for _ in range(2):
            got = self.fetch(path)
            self.assertEqual((got.headers.get_all("Content-Length"), got.content),
                             (["1"], b"1"))

    def test_what_another_tag_comes_with_takes_the_place(self):
        path = self.plan('Cache-Control: max-age=0 | ETag: "a"', FRESH + ' | ETag: "b"')
        self.fetch(path)
        got = self.fetch(path)
        self.assertEqual((got.headers["X-Cache"], got.content), ("miss", b"2"))
        self.assertEqual(self.fetch(path).content, b"2")
        self.assertEqual(self.asked(path)[1][1]["If-None-Match"], '"a"')

    def test_tag_is_sent_as_it_came(self):
        for tag in '"a"', 'W/"a"', "a":
            path = self.plan(f"Cache-Control: max-age=0 | ETag: {tag}")
            self.fetch(path)
            self.fetch(path, 'If-None-Match: "mine"')
            self.assertEqual(self.asked(path)[1][1].get_all("If-None-Match"), [tag])

    def test_headers_of_a_variant_go_along_when_it_is_compared(self):
        path = self.plan('Cache-Control: max-age=0 | ETag: "a" | Vary: Foo')
        self.fetch(path, "Foo: 1")
        self.assertEqual(self.fetch(path, "Foo: 1").headers["X-Cache"], "hit")
        self.assertEqual(self.asked(path)[1][1]["Foo"], "1")

    def test_header_is_stored_unless_it_is_of_the_connection(self):
        response = " | ".join([FRESH, "A: 1", "B: 2", "C: 3", *(
            f"{name}: x" for name in self.NOT_STORED), "Connection: a, b"])
        path = self.plan(response + " | Public-Key-Pins: x | Clear-Site-Data: cookies")
        for cache in "miss", "hit":
            got = self.fetch(path)
            self.assertEqual(got.headers["X-Cache"], cache)
            self.assertEqual(got.headers["C"], "3")
            self.assertEqual(got.headers["Clear-Site-Data"], "cookies")
            for name in "A", "B", "Public-Key-Pins", *self.NOT_STORED:
                self.assertNotIn("x", got.headers.get_all(name, []), name)
                self.assertNotIn("1", got.headers.get_all(name, []), name)

    def test_headers_that_no_cache_and_private_name_are_not_stored(self):
        for word in "no-cache", "private":
            path = self.plan(f'{FRESH} | Cache-Control: {word}="a, b" | a: 1 | b: 2 | c: 3')
            got = self.fetch(path)
            self.assertEqual(got.headers["X-Cache"], "miss")
            got = self.fetch(path)
            self.assertEqual((got.headers["X-Cache"], got.headers["a"], got.headers["b"],
                              got.headers["c"]), ("hit", None, None, "3"))

    def test_date_and_age_are_those_of_the_response(self):
        for lifetime in "Cache-Control: max-age=10000", "Expires: <10000>":
            path = self.plan(lifetime + " | Date: <-20> | Age: 30")
            first, second = self.fetch(path), self.fetch(path)
            self.assertEqual(second.headers["X-Cache"], "hit")
            self.assertEqual(first.headers["Date"], second.headers["Date"])
            self.assertEqual(first.headers["Expires"], second.headers["Expires"])
            self.assertGreaterEqual(int(second.headers["Age"]), 30)


class SeveralTest(RulesCase):
    """More requests than two."""

    def test_variants_do_not_push_each_other_out(self):
        path = self.plan(cache_cases.VARY + "Foo")
        for foo, cache, body in ((1, "miss", b"1"), (2, "miss", b"2"), (1, "hit", b"1"),
                                 (2, "hit", b"2")):
            got = self.fetch(path, f"Foo: {foo}")
            self.assertEqual((got.headers["X-Cache"], got.content), (cache, body))

    def test_query_is_part_of_the_target(self):
        path = self.plan(FRESH)
        for query, cache in (("?a", "miss"), ("?b", "miss"), ("?a", "hit"), ("", "miss")):
            self.server.plans.setdefault(path + query, [FRESH])
            self.assertEqual(self.fetch(path + query).headers["X-Cache"], cache)

    def test_stale_while_revalidate_ends_with_what_is_fetched(self):
        path = self.plan("Cache-Control: max-age=1, stale-while-revalidate=60 | Age: 9",
                         "Cache-Control: no-store")
        self.fetch(path)
        self.assertEqual(self.fetch(path).headers["X-Cache"], "stale")
        harness.wait_until(lambda: len(self.asked(path)) == 2, "the fresh one")

    def test_head_is_answered_by_what_a_get_stored_and_stores_nothing(self):
        path = self.plan(FRESH + " | A: 1", FRESH + " | A: 2")
        self.assertEqual(self.fetch(path, method="HEAD").headers["X-Cache"], "miss")
        self.assertEqual(self.fetch(path).content, b"2")
        got = self.fetch(path, method="HEAD")
        self.assertEqual((got.headers["X-Cache"], got.headers["A"],
                          got.headers["Content-Length"]), ("hit", "2", "1"))
        self.assertEqual([method for method, _ in self.asked(path)], ["HEAD", "GET"])

    def test_head_of_what_is_stale_goes_out_as_head(self):
        path = self.plan("Cache-Control: max-age=2 | Age: 9 | A: 1", FRESH + " | A: 2")
        self.fetch(path)
        got = self.fetch(path, method="HEAD")
        self.assertEqual((got.headers["A"], self.asked(path)[1][0]), ("2", "HEAD"))

    def test_parts_are_neither_stored_nor_made(self):
        path = self.plan("206 | Cache-Control: max-age=3600 | Content-Range: bytes 4-8/9",
                         FRESH)
        for _ in range(2):
            got = self.fetch(path, "Range: bytes=-5")
            self.assertEqual(got.headers["X-Cache"], "bypass")
            self.assertEqual(self.asked(path)[-1][1]["Range"], "bytes=-5")
        self.assertEqual(self.fetch(path).headers["X-Cache"], "miss")
        self.assertEqual(self.fetch(path).headers["X-Cache"], "hit")
        self.assertEqual(self.fetch(path, "Range: bytes=0-0").headers["X-Cache"], "bypass")

    def test_only_if_cached_is_never_asked_for(self):
        path = self.plan(FRESH)
        for method in "GET", "HEAD":
            self.assertEqual(self.fetch(path, "Cache-Control: only-if-cached", method).status,
                             504)
        self.assertEqual(self.asked(path), [])
        self.fetch(path)
        self.assertEqual(self.fetch(path, "Cache-Control: only-if-cached").content, b"1")

    def test_client_that_has_what_comes_gets_304(self):
        for response, request in (('ETag: "a"', 'If-None-Match: "a"'),
                                  ("Last-Modified: <-3000>", "If-Modified-Since: <-3000>")):
            for lifetime, wanted in ((FRESH, "miss"), ("Cache-Control: max-age=0", "miss")):
                path = self.plan(f"{lifetime} | {response}")
                got = self.fetch(path, request)
                self.assertEqual((got.status, got.headers["X-Cache"], got.content),
                                 (304, wanted, b""))
                self.assertEqual([headers[name] for _, headers in self.asked(path)
                                  for name in ("If-None-Match", "If-Modified-Since")],
                                 [None, None])
                got = self.fetch(path, request)
                self.assertEqual((got.status, got.headers["X-Cache"]), (304, "hit"))

    def test_interim_responses_are_neither_passed_nor_stored(self):
        def early(handler):
            handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n"
                                b"X-My: test\r\nCache-Control: no-store\r\n\r\n"
                                b"HTTP/1.1 102 Processing\r\n\r\n")
            handler.respond(FRESH, b"1")
        path = self.plan(early)
        for cache in "miss", "hit":
            got = self.fetch(path)
            self.assertEqual((got.status, got.headers["X-Cache"], got.content),
                             (200, cache, b"1"))
            self.assertIsNone(got.headers["X-My"])
            self.assertIsNone(got.headers["Link"])


class InvalidationTest(RulesCase):
    def test_success_of_what_may_change_it_forgets_what_is_stored(self):
        for method in "POST", "PUT", "DELETE", "PATCH":
            for status, wanted in (200, b"3"), (303, b"3"), (404, b"1"), (500, b"1"):
                with self.subTest(method, status=status):
                    path = self.plan(FRESH, f"{status}", FRESH)
                    self.fetch(path)
                    self.assertEqual(self.fetch(path, "", method, b"abc").status, status)
                    self.assertEqual(self.fetch(path).content, wanted)

    def test_options_changes_nothing(self):
        path = self.plan(FRESH)
        self.fetch(path)
        self.assertEqual(self.fetch(path, method="OPTIONS").content, b"2")
        self.assertEqual(self.fetch(path).content, b"1")

    def test_what_the_response_names_is_forgotten_too(self):
        url = f"http://127.0.0.1:{self.server.port}"
        for header in "Location", "Content-Location":
            for form in "{path}", url + "{path}", "{path}#x", "{name}":
                with self.subTest(header, form=form):
                    place = self.plan(FRESH)
                    path = self.plan("201 | %s: %s" % (header, form.format(
                        path=place, name=place[1:])))
                    self.fetch(place)
                    self.fetch(path, "", "POST", b"abc")
                    self.assertEqual(self.fetch(place).headers["X-Cache"], "miss")

    def test_what_is_named_of_others_or_by_an_error_is_kept(self):
        place = self.plan(FRESH)
        self.fetch(place)
        for response in (f"201 | Location: http://other.example{place}",
                         f"201 | Location: //127.0.0.1:{self.server.port}{place}",
                         f"201 | Location: /x/..{place}", f"500 | Location: {place}",
                         f"201 | Link: {place}"):
            with self.subTest(response):
                self.fetch(self.plan(response), "", "POST", b"abc")
                self.assertEqual(self.fetch(place).headers["X-Cache"], "hit")
        self.fetch(self.plan(f"{FRESH} | Content-Location: {place}"))
        self.assertEqual(self.fetch(place).headers["X-Cache"], "hit")


if __name__ == "__main__":
    harness.main()
