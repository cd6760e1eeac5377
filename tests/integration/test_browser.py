"""The status page in a browser: headless Chromium, by WebDriver.  Runs where
CHROMEDRIVER says which program that is: make check-browser."""

import base64
import contextlib
import http.client
import http.server
import json
import os
import shutil
import socket
import threading
import time
import unittest

import harness
from harness import free_port, wait_until
from test_http import HttpCase
from test_users import hash_of

CHROMEDRIVER = os.environ.get("CHROMEDRIVER")
LIMITS = """
[login]
match = login:*
capacity = 5
recharge = 60s

[odd]
match = *
capacity = 1
recharge = 1d
"""
EVIL = "<img/src=x/onerror=document.title='evil'>"


def own_address():
    """One of this machine's that is not a loopback address, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        with contextlib.suppress(OSError):
            probe.connect(("192.0.2.1", 9)) # which sends nothing
            return probe.getsockname()[0]
    return None


class Other(http.server.BaseHTTPRequestHandler):
    """Another site."""

    PAGE = b"<!DOCTYPE html><title>other</title><p>other"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(self.PAGE)))
        self.end_headers()
        self.wfile.write(self.PAGE)

    def log_message(self, *arguments):
        pass


class Browser:
    """A session of WebDriver."""

    def __init__(self, port):
        self.port = port
        self.path = ""
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu",
                            "--disable-dev-shm-usage"]}
        self.path = "/session/" + self.post("/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"}}}})["sessionId"]

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, self.path + path, body and json.dumps(body),
                               {"Content-Type": "application/json"})
            value = json.load(connection.getresponse())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise AssertionError(value["message"])
        return value

    def post(self, path, body):
        return self.call("POST", path, body)

    def open(self, url):
        self.post("/url", {"url": url})

    def run(self, script):
        return self.post("/execute/sync", {"script": script, "args": []})

    def text(self, css):
        return self.run(f"return document.querySelector({css!r})?.textContent ?? ''")

    def resize(self, width, height):
        """What the page sees, not the window."""
        self.post("/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}})

    def prefer(self, scheme):
        self.post("/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]}})

    def console(self):
        return [line["message"] for line in self.post("/se/log", {"type": "browser"})]

    def screenshot(self):
        return base64.b64decode(self.call("GET", "/screenshot"))


@unittest.skipUnless(CHROMEDRIVER and shutil.which(CHROMEDRIVER), "no CHROMEDRIVER")
class PageTest(HttpCase):
    def browser(self):
        port = free_port()
        log = os.path.join(self.folder, "chromedriver.log")
        self.started(harness.Process(self.folder, "chromedriver", [
            CHROMEDRIVER, f"--port={port}", f"--log-path={log}"]))
        def answers():
            with contextlib.closing(http.client.HTTPConnection(
                    "127.0.0.1", port, timeout=harness.PATIENCE)) as connection:
                try:
                    connection.request("GET", "/status")
                    return json.load(connection.getresponse())["value"]["ready"]
                except OSError:
                    return False
        wait_until(answers, "chromedriver")
        browser = Browser(port)
        self.addCleanup(browser.call, "DELETE", "")
        return browser

    def opened(self):
        daemon = self.start(LIMITS)
        browser = self.browser()
        browser.open(f"http://127.0.0.1:{self.admin_port}/")
        wait_until(lambda: browser.text("#state").startswith("ready"), "an event")
        return daemon, browser

    def test_what_happens_is_shown(self):
        daemon, browser = self.opened()
        self.assertEqual(browser.text("#state"), "ready, buckets in memory")
        self.assertRegex(browser.text("#set"), r"^2 in force for \d+ s, digest [0-9a-f]{8}$")
        def is_shown():
            daemon.ask(*["CONSUME login:7"] * 20)
            return (browser.text("#top td.key") == "login:7"
                    and browser.text("#rate") not in ("–", "0")
                    and browser.run("return document.querySelectorAll('#limits polyline').length") == 4)
        wait_until(is_shown, "the denials")
        self.assertRegex(browser.text("#denied"), r"^\d+(\.\d)? %$")
        self.assertRegex(browser.text("#half"), "µs|ms|s$")
        daemon.stop()
        wait_until(lambda: browser.text("#state") == "no connection to the daemon", "the end")

    def test_a_key_is_text(self):
        daemon, browser = self.opened()
        def is_shown():
            daemon.ask(*[f"CONSUME {EVIL}"] * 3)
            return browser.text("#top td.key") == EVIL
        wait_until(is_shown, "the key")
        self.assertEqual(browser.run("return document.images.length"), 0)
        self.assertEqual(browser.run("return document.title"), "dripgate")

    def test_the_fleet_is_shown(self):
        redis = self.redis()
        redis.ask("ZADD", "limits", 10, "login match=login:* capacity=5 recharge=1h")
        redis.ask("HSET", "limits:fleet", "other", f"{'0' * 40} 1 3 {int(time.time())}")
        self.start("", {
            "limits": {"source": "redis"},
            "control": {"unix_socket_path": redis.path, "node_name": EVIL}})
        browser = self.browser()
        browser.open(f"http://127.0.0.1:{self.admin_port}/")
        rows = ("return [...document.querySelectorAll('#fleet tr')].map("
                "row => [...row.cells].slice(0, 3).map(cell => cell.textContent.split('#')[0]).join(' '))")
        wait_until(lambda: browser.run(rows) == ["other others 3", EVIL + " current 1"], "the fleet")
        self.assertEqual(browser.text("#daemons"), "2 daemons, 1 with the limits in Redis")
        self.assertEqual(browser.run("return document.images.length"), 0)
        if "SCREENSHOTS" in os.environ:
            with open(os.path.join(os.environ["SCREENSHOTS"], "fleet.png"), "wb") as file:
                file.write(browser.screenshot())

    def test_overrides_are_shown(self):
        redis = self.redis()
        redis.ask("ZADD", "limits", 10, "login match=login:* capacity=5 recharge=1h")
        redis.ask("HSET", "limits:overrides", "login:*",
                  f"x10 {int(time.time()) + 7000} ron\n{EVIL} sale")
        self.start("", {
            "limits": {"source": "redis"}, "control": {"unix_socket_path": redis.path}})
        browser = self.browser()
        browser.open(f"http://127.0.0.1:{self.admin_port}/")
        cells = ("return [...document.querySelectorAll('#overrides tr')].map("
                 "row => [...row.cells].map(cell => cell.textContent))")
        wait_until(lambda: len(browser.run(cells)[0]) == 4, "the override")
        [(pattern, note, used, left)] = browser.run(cells)
        self.assertEqual((pattern, used, left), ("login:*", "0", "1 h"))
        self.assertRegex(note, "^x10 until .*Z by ron: ")
        self.assertTrue(note.endswith(EVIL + " sale"), note)
        self.assertEqual(browser.run("return document.images.length"), 0)
        redis.ask("DEL", "limits:overrides")
        redis.ask("PUBLISH", "control", "reload:immediate")
        wait_until(lambda: browser.run(cells) == [["none: limits are in force as they are"]],
                   "its end")

    def test_upstreams_are_shown(self):
        self.start(LIMITS, {"upstream:api": {
            "url": f"http://127.0.0.1:{free_port()}", "failures": "1", "retries": "0"}})
        browser = self.browser()
        browser.open(f"http://127.0.0.1:{self.admin_port}/")
        row = "return document.querySelector('#upstreams tr').innerText.split(/\\s+/).join(' ')"
        wait_until(lambda: browser.run(row) == "api ready 0 – 0 0", "the upstream")
        self.ask(self.connection(self.http_port), "/upstream/api/x")
        wait_until(lambda: browser.run(row) == "api failing 1 0 % 1 0", "its failure")

    def test_narrow_wide_light_and_dark(self):
        daemon, browser = self.opened()
        grounds = set()
        long = "login:" + "x" * 200
        def is_shown():
            daemon.ask(*[f"CONSUME {long}"] * 8)
            return browser.text("#top td.key") == long
        wait_until(is_shown, "the key")
        for width in 360, 1200:
            browser.resize(width, 800)
            for scheme in "light", "dark":
                browser.prefer(scheme)
                self.assertEqual(browser.run("return document.documentElement.scrollWidth"), width)
                grounds.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
                if "SCREENSHOTS" in os.environ:
                    with open(os.path.join(os.environ["SCREENSHOTS"], f"{width}-{scheme}.png"),
                              "wb") as file:
                        file.write(browser.screenshot())
        self.assertEqual(len(grounds), 2)
        self.assertEqual(browser.console(), [])

    def test_who_may_see_it(self):
        users = os.path.join(self.folder, "users")

        def write(verbs):
            with open(users, "w", encoding="ascii") as file:
                file.write(f"ops {secret} verbs={verbs}\nweb nopass verbs=stats\n")
        secret = hash_of("s3cret")
        write("events")
        daemon = self.start(LIMITS, {"listen": {"users": users}})
        browser, place = self.browser(), f"127.0.0.1:{self.admin_port}/"
        browser.open(f"http://web:x@{place}")
        self.assertIn("noperm", browser.text("body"))
        browser.open(f"http://ops:wrong@{place}")
        self.assertEqual(browser.text("#state"), "")
        browser.open(f"http://ops:s3cret@{place}")
        wait_until(lambda: browser.text("#state").startswith("ready"), "an event")
        write("stats")
        daemon.send(1)
        wait_until(lambda: browser.text("#state") == "no connection to the daemon", "the end")

    def test_its_structure(self):
        _, browser = self.opened()
        self.assertEqual(browser.run(
            "return [...document.querySelectorAll('th')].filter(th => !th.scope).length"), 0)
        self.assertEqual(browser.run(
            "return [...document.querySelectorAll('[aria-labelledby]')].filter("
            "e => !document.getElementById(e.getAttribute('aria-labelledby'))).length"), 0)
        self.assertEqual(browser.run("return document.documentElement.lang"), "en")
        self.assertEqual(browser.run("return document.querySelectorAll('main').length"), 1)

    def test_pages_of_others_neither_read_nor_drive_it(self):
        daemon, _ = self.opened()
        browser = self.browser()
        browser.open(self.other_site("127.0.0.1"))
        admin, port = f"http://127.0.0.1:{self.admin_port}", daemon.port
        script = """
            const done = arguments[arguments.length - 1], heard = [];
            const ask = (url, options) => fetch(url, options).then(
                async response => heard.push(response.type === 'opaque' ? 'opaque' : await response.text()),
                () => heard.push('refused'));
            Promise.all([
                ask('%s/top'), ask('%s/events'),
                ask('http://127.0.0.1:%d/consume', {method: 'POST', mode: 'no-cors', body: 'key=login:evil'}),
                ask('http://127.0.0.1:%d/consume?key=login:evil', {mode: 'no-cors'}),
            ]).then(() => done(heard.sort()));
        """ % (admin, admin, port, port)
        heard = browser.post("/execute/async", {"script": script, "args": []})
        self.assertEqual(set(heard) - {"opaque", "refused"}, set())
        self.assertEqual(heard.count("refused"), 2)
        self.assertTrue(daemon.ask("PEEK login:evil").startswith("ALLOW limit=login level=0 "))

    def other_site(self, address):
        """Where it is."""
        server = http.server.ThreadingHTTPServer((address, 0), Other)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://{address}:{server.server_port}/"

    @unittest.skipUnless(own_address(), "this machine has no address but its loopback's")
    def test_pictures_do_not_drive_it_where_browsers_say_less(self):
        """To an address that is neither HTTPS nor the machine's own loopback, Chromium
        says neither Sec-Fetch-Site nor, for a picture, Origin."""
        address, port = own_address(), free_port()
        daemon = self.start(LIMITS, {"http": {"listen": f"{address}:{port}"}})
        browser = self.browser()
        browser.open(self.other_site(address))
        script = """
            const done = arguments[arguments.length - 1], picture = new Image();
            picture.onload = picture.onerror = () => done('over');
            picture.src = '%s';
        """
        before = daemon.stats()["bad_lines"]
        script %= f"http://{address}:{port}/consume?key=login:evil"
        self.assertEqual(browser.post("/execute/async", {"script": script, "args": []}), "over")
        self.assertEqual(daemon.stats()["bad_lines"], before + 1)
        self.assertTrue(daemon.ask("PEEK login:evil").startswith("ALLOW limit=login level=0 "))


if __name__ == "__main__":
    harness.main()
