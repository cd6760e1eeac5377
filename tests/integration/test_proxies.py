"""The examples of conf/examples, as they are, with real proxies and clients.

Caddy and Envoy only where CADDY and ENVOY name the programs: make check-proxies.
"""

import contextlib
import glob
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socketserver
import subprocess
import threading
import time
import unittest

import harness
import test_readme
import test_users

EXAMPLES = os.path.join(harness.ROOT, "conf", "examples")
PROGRAMS = {"nginx": shutil.which("nginx", path="/usr/sbin:/usr/bin"),
            "haproxy": shutil.which("haproxy", path="/usr/sbin:/usr/bin"),
            "apache": shutil.which("apache2", path="/usr/sbin:/usr/bin"),
            "caddy": os.environ.get("CADDY"), "envoy": os.environ.get("ENVOY")}


class App(http.server.BaseHTTPRequestHandler):
    """The application behind: it says what it was asked."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        text = json.dumps({"method": self.command, "path": self.path, "body": body.decode(),
                           "from": self.headers.get("X-Forwarded-For"),
                           "login": self.headers.get("Authorization")})
        self.send_response(403 if self.path == "/forbidden" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):
        """A proxy may close a connection at any time."""


def end(proxy):
    """Have it end its workers, too."""
    proxy.send(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        proxy.wait()


class ExampleCase(harness.Case):
    users = False # of dripgated; the proxy logs in

    def setUp(self):
        super().setUp()
        self.app = Server(("127.0.0.1", 0), App)
        threading.Thread(target=self.app.serve_forever, daemon=True).start()
        self.addCleanup(self.app.server_close)
        self.addCleanup(self.app.shutdown)
        self.port = harness.free_port()
        with open(os.path.join(EXAMPLES, "limits.ini"), encoding="utf-8") as file:
            self.limits = file.read()
        self.gate = self.daemon(self.limits)

    def example(self, name):
        """A copy of a file, with the ports of this test; its path."""
        with open(os.path.join(EXAMPLES, name), encoding="utf-8") as file:
            text = file.read()
        for old, new in ((14290, self.gate.port), (8080, self.port),
                         (3000, self.app.server_port)):
            text = re.sub(rf'(127\.0\.0\.1(?::|", )|port_value: |htons\(){old}\b', rf"\g<1>{new}",
                          text)
        if self.users:
            text = re.sub(r"(?m)^(\s*)(?:#|--) (.*)NAME\.SECRET", r"\1\2web.s3cret", text)
            text = text.replace('proxy_set_header Proxy-Authorization "";', "")
        path = os.path.join(self.folder, os.path.basename(name))
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


class ProxyCase(ExampleCase):
    passes_headers = True
    client = "127.0.0.1"

    def ask(self, path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                timeout=harness.PATIENCE)
        try:
            connection.request(method, path, body, {
                name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            response.content = response.read()
            return response
        finally:
            connection.close()

    def start(self, name, argv, **popen):
        """Start the proxy, and wait until it responds."""
        self.proxy = self.started(harness.Process(self.folder, name, argv, **popen))
        self.addCleanup(end, self.proxy)

        def responds():
            if not self.proxy.is_running():
                raise AssertionError(self.proxy.log())
            try:
                return self.ask("/").status == 200
            except (ConnectionError, http.client.HTTPException):
                return False
        harness.wait_until(responds, name)

    def in_a_drop(self, work):
        """Have it done before a drop leaks: within 3 s, or once more."""
        for _ in range(20):
            self.gate.ask(f"reset ip:{self.client}")
            start = time.monotonic()
            result = work()
            if time.monotonic() - start < 2.5:
                return result
        return self.skipTest("this machine is too busy")

    def check_limit(self):
        """What a browser sees of twenty requests a minute."""
        responses = self.in_a_drop(lambda: [self.ask("/api/ping") for _ in range(22)])
        self.assertEqual([r.status for r in responses], [200] * 20 + [429] * 2,
                         self.proxy.log())
        self.assertEqual(json.loads(responses[0].content)["path"], "/api/ping")
        for response in responses[20:]:
            self.assertIn(response.headers["Retry-After"], ("1", "2", "3"))
            self.assertIn("r=0", response.headers["RateLimit"])
        if self.passes_headers:
            self.assertRegex(responses[0].headers["RateLimit"], r'^"ip";r=19;t=[123]$')
        # Other paths are not limited, nor is the 403 of the application ours.
        self.assertEqual(self.ask("/other").status, 200)
        self.assertEqual(self.ask("/forbidden").status, 403)

    def check_spoofing(self):
        """No header of a client changes who it is, or what it asks for."""
        def work():
            self.gate.ask(f"consume ip:{self.client} 20")
            return [self.ask("/api/x", **headers).status for headers in (
                {}, {"X_Forwarded_For": "192.0.2.1"}, {"X_Forwarded_For": "127.0.0.1, ::1"},
                {"Forwarded": "for=192.0.2.1"}, {"X_Real_IP": "192.0.2.1"},
                {"X_Original_URI": "/other"}, {"X_Forwarded_Uri": "/other"},
                {"X_Original_Method": "PUT", "X_Forwarded_Method": "PUT"})]
        self.assertEqual(self.in_a_drop(work), [429] * 8)
        for path in ("/api//x", "/x/../api/x", "/%61pi/x", "/api/%2e/x"):
            self.assertIn(self.in_a_drop(lambda path=path: [
                self.gate.ask(f"consume ip:{self.client} 20"), self.ask(path).status])[1],
                          (429, 400), path)

    def check_requests(self):
        """Method, query and body get through, and HEAD."""
        for method, body in (("POST", "a" * 100000), ("PUT", "x"), ("DELETE", None)):
            response = self.ask("/api/x?y=%20&z", method, body)
            self.assertEqual(response.status, 200, response.content)
            said = json.loads(response.content)
            self.assertEqual([said["method"], said["path"], said["body"]],
                             [method, "/api/x?y=%20&z", body or ""])
        self.assertEqual(self.ask("/api/x", "HEAD").status, 200)

    def check_pages(self):
        """A page of another site and a shop's own host are fine."""
        response = self.ask("/api/x", Origin="https://a.example", Host="shop.example.com",
                            Sec_Fetch_Site="cross-site", Cookie="a=b")
        self.assertEqual(response.status, 200)

    def check_outage(self):
        """Without dripgated, requests pass."""
        self.gate.send(15)
        self.gate.wait()
        self.assertEqual([self.ask("/api/x").status for _ in range(25)], [200] * 25)

    def check_login(self):
        """A proxy logs in; what its client sends is for the application."""
        path = os.path.join(self.folder, "users")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"web {test_users.hash_of('s3cret')} verbs=check keys=ip:*\n"
                       "default nopass verbs=stats\n")
        self.gate = self.daemon(self.limits, {"listen": {"users": path}})
        self.users = True
        self.begin()
        for login in "Basic Ym9iOng=", "Bearer web.x", "Digest a=b":
            response = self.ask("/api/x", Authorization=login, Proxy_Authorization=login)
            self.assertEqual(response.status, 200)
            self.assertEqual(json.loads(response.content)["login"], login)
            if self.passes_headers:
                self.assertIn("RateLimit", response.headers)
        stats = self.gate.stats()
        self.assertEqual((stats["wrong_secrets"], stats["forbidden"]), (0, 0))
        self.assertGreaterEqual(stats["allowed"], 3)

    def check_all(self):
        for check in (self.check_limit, self.check_spoofing, self.check_requests,
                      self.check_pages, self.check_outage):
            self.gate.is_running() and self.gate.ask(f"reset ip:{self.client}")
            with self.subTest(check.__name__):
                check()


@unittest.skipUnless(PROGRAMS["nginx"], "needs nginx")
class NginxTest(ProxyCase):
    def test_nginx(self):
        self.begin()
        self.check_all()

    def test_login(self):
        self.check_login()

    @unittest.skipUnless(shutil.which("curl"), "needs curl")
    def test_what_the_readme_shows(self):
        self.begin()
        (text,) = test_readme.of_section("Behind a proxy", "$ ")
        ((command, expected),) = test_readme.commands(text)

        def work():
            return subprocess.run(
                ["bash", "-c", command.replace("8080", str(self.port))], check=True,
                capture_output=True, text=True, timeout=harness.PATIENCE).stdout
        self.assertEqual(self.in_a_drop(work), expected + "\n")

    def begin(self):
        path = self.example("nginx.conf")
        for name in ("client", "proxy", "fastcgi", "uwsgi", "scgi"):
            os.mkdir(os.path.join(self.folder, name))
        with open(path, encoding="utf-8") as file:
            text = file.read()
        paths = "".join(f"{name}_temp_path {self.folder}/{folder};\n" for name, folder in (
            ("client_body", "client"), ("proxy", "proxy"), ("fastcgi", "fastcgi"),
            ("uwsgi", "uwsgi"), ("scgi", "scgi")))
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("http {", "http {\naccess_log off;\n" + paths, 1))
        self.start("nginx", [PROGRAMS["nginx"], "-c", path, "-p", self.folder, "-g",
                             f"daemon off; pid {self.folder}/nginx.pid; error_log stderr; "
                             "user root;" if os.geteuid() == 0 else
                             f"daemon off; pid {self.folder}/nginx.pid; error_log stderr;"])


@unittest.skipUnless(PROGRAMS["haproxy"], "needs haproxy")
class HaproxyTest(ProxyCase):
    def begin(self):
        self.example("dripgate.lua")
        self.start("haproxy", [PROGRAMS["haproxy"], "-db", "-f", self.example("haproxy.cfg")],
                   cwd=self.folder)

    def test_haproxy(self):
        self.begin()
        self.check_all()

    def test_login(self):
        self.check_login()


@unittest.skipUnless(PROGRAMS["apache"] and
                     glob.glob("/usr/share/lua/5.*/socket/http.lua"),
                     "needs apache2 and lua-socket")
class ApacheTest(ProxyCase):
    def begin(self):
        self.example("apache.lua")
        self.start("apache", [
            PROGRAMS["apache"], "-DFOREGROUND", "-f", self.example("apache.conf"), "-C",
            f"Define EXAMPLES {self.folder}", "-C", f"ServerRoot {self.folder}",
            "-C", f"PidFile {self.folder}/apache.pid", "-c", f"DefaultRuntimeDir {self.folder}",
            "-C", "ErrorLog /dev/stderr"])

    def test_apache(self):
        self.begin()
        self.check_all()

    def test_login(self):
        self.check_login()


@unittest.skipUnless(PROGRAMS["caddy"], "needs CADDY: make check-proxies")
class CaddyTest(ProxyCase):
    passes_headers = False

    def check_outage(self):
        """Caddy knows no other way: without dripgated, it says 502."""
        self.gate.send(15)
        self.gate.wait()
        self.assertEqual(self.ask("/api/x").status, 502)

    def begin(self):
        self.start("caddy", [PROGRAMS["caddy"], "run", "--adapter", "caddyfile", "--config",
                             self.example("Caddyfile")],
                   env={"HOME": self.folder, "XDG_DATA_HOME": self.folder,
                        "XDG_CONFIG_HOME": self.folder})

    def test_caddy(self):
        self.begin()
        self.check_all()

    def test_login(self):
        self.check_login()


@unittest.skipUnless(PROGRAMS["envoy"], "needs ENVOY: make check-proxies")
class EnvoyTest(ProxyCase):
    file = "envoy.yaml"

    def begin(self):
        self.start("envoy", [PROGRAMS["envoy"], "-c", self.example(self.file),
                             "--concurrency", "1", "--disable-hot-restart", "-l", "warning"])

    def test_envoy(self):
        self.begin()
        # Of a client on the same machine, Envoy says the machine's address.
        self.client = json.loads(self.ask("/other").content)["from"]
        self.check_all()

    def test_login(self):
        self.check_login()


@unittest.skipUnless(PROGRAMS["envoy"], "needs ENVOY: make check-proxies")
class EnvoyAuthorizationByGrpcTest(EnvoyTest):
    file = "envoy-authz.yaml"


@unittest.skipUnless(PROGRAMS["envoy"], "needs ENVOY: make check-proxies")
class EnvoyByGrpcTest(ProxyCase):
    def statuses(self, count, path="/api/x"):
        return [self.ask(path).status for _ in range(count)]

    def begin(self):
        self.start("envoy", [PROGRAMS["envoy"], "-c", self.example("envoy-ratelimit.yaml"),
                             "--concurrency", "1", "--disable-hot-restart", "-l", "warning"])

    def test_envoy_by_grpc(self):
        self.begin()
        response = self.ask("/api/x")
        self.assertEqual(response.status, 200)
        self.assertIn("20, 20;w=60", response.headers["x-ratelimit-limit"])
        self.assertEqual(response.headers["x-ratelimit-remaining"], "19")
        self.assertEqual(self.statuses(20), [200] * 19 + [429])
        self.assertEqual(self.statuses(2, "/other"), [200, 200])
        self.gate.kill()
        self.gate.wait()
        self.assertEqual(self.statuses(2), [200, 200])

    def test_login(self):
        self.users = True
        with open(os.path.join(self.folder, "users"), "w", encoding="utf-8") as file:
            file.write(f"web {test_users.hash_of('s3cret')} verbs=decide keys=*\n")
        self.gate = self.daemon(self.limits, {
            "listen": {"users": os.path.join(self.folder, "users")}})
        self.begin()
        self.assertEqual(self.statuses(21), [200] * 20 + [429])


class ClientTest(ExampleCase):
    """The clients in conf/examples/clients say what dripgated does."""

    def setUp(self):
        super().setUp()
        self.gate.write_limits("[one]\nmatch = *\ncapacity = 1\nrecharge = 1d\n")
        self.gate.reload()

    def check_client(self, name, *argv, tool=None, env=None):
        if not shutil.which(tool or argv[0]):
            self.skipTest(f"needs {tool or argv[0]}")
        path = self.example(os.path.join("clients", name))
        said = []
        for _ in range(2):
            result = subprocess.run(
                [*(path if word == "FILE" else word for word in argv), f"{name}:a&b"],
                capture_output=True, text=True, check=False, cwd=self.folder,
                timeout=10 * harness.PATIENCE, env={**os.environ, **(env or {})})
            self.assertEqual(result.returncode, 0, result.stderr)
            said.append(result.stdout)
        self.assertEqual(said[0], "allowed\n")
        self.assertRegex(said[1], r"^denied, retry after 8[56]\d{3} s\n$")
        self.assertIn("level=1", self.gate.ask(f"peek {name}:a&b"))

    def test_python(self):
        self.check_client("consume.py", "python3", "FILE")

    def test_node(self):
        version = subprocess.run(["node", "--version"], capture_output=True, text=True,
                                 check=False).stdout if shutil.which("node") else "v0"
        if int(version[1:].split(".")[0]) < 18:
            self.skipTest("needs node 18")
        self.check_client("consume.mjs", "node", "FILE")

    def test_go(self):
        self.check_client("consume.go", "go", "run", "FILE")

    def test_php(self):
        self.check_client("consume.php", "php", "FILE")

    def test_java(self):
        self.check_client("Consume.java", "java", "FILE")

    def test_ruby(self):
        self.check_client("consume.rb", "ruby", "FILE")

    def test_c(self):
        compiler = os.environ.get("CC", "cc").split()[-1]
        program = os.path.join(self.folder, "a.out")
        if not shutil.which(compiler):
            self.skipTest("needs a compiler")
        subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-o", program,
                        self.example("clients/consume.c")], check=True)
        self.check_client("consume.c", program)


if __name__ == "__main__":
    harness.main()
