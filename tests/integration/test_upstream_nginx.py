"""An upstream that is nginx: TLS, HTTP/2, and a body that it stores on disk."""

import os
import shutil
import unittest

import harness
from certificates import Authority
from harness import wait_until
from test_http import HttpCase
from test_upstream import LIMITS

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")

CONFIG = """
worker_processes 1;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        root {folder}/root;
        location /old {{ return 301 https://other.example/; }}
        location / {{ add_header Cache-Control max-age=0; }}
    }}
}}
"""


@unittest.skipUnless(NGINX, "needs nginx")
class NginxTest(HttpCase):
    def serve(self, names="IP:127.0.0.1", **settings):
        authority = Authority(self.folder)
        certificate, key = authority.issue(names)
        self.port = harness.free_port()
        root = os.path.join(self.folder, "root")
        os.mkdir(root)
        os.chmod(self.folder, 0o755)
        for name, size in ("small", 100), ("large", 5_000_000):
            with open(os.path.join(root, name), "wb") as file:
                file.write(bytes(range(100)) * (size // 100))
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIG.format(folder=self.folder, port=self.port,
                                     certificate=certificate, key=key))
        nginx = self.started(harness.Process(self.folder, "nginx", [
            NGINX, "-c", path, "-p", self.folder, "-e", "stderr", "-g",
            f"daemon off; pid {self.folder}/nginx.pid;"]))
        wait_until(lambda: os.path.exists(f"{self.folder}/nginx.pid") or
                   not nginx.is_running(), "nginx")
        self.gate = self.start(LIMITS, {"upstream:api": {
            "url": f"https://127.0.0.1:{self.port}", "ca_file": authority.path, **settings}})

    def get(self, path):
        return self.ask(self.connection(self.http_port), f"/upstream/api{path}")

    def wait_for_access(self, text):
        """nginx writes of it once it has sent all."""
        def is_written():
            with open(f"{self.folder}/access.log", encoding="ascii") as file:
                return text in file.read()
        wait_until(is_written, text)

    def test_large_file_passes_by_http2_over_tls(self):
        self.serve()
        self.assertEqual(self.get("/large").content, bytes(range(100)) * 50_000)
        self.wait_for_access('"GET /large HTTP/2.0" 200 5000000')

    def test_what_is_stored_is_compared_by_its_etag(self):
        self.serve()
        self.assertEqual(self.get("/small").headers["X-Cache"], "miss")
        response = self.get("/small")
        self.assertEqual((response.headers["X-Cache"], len(response.content)), ("hit", 100))
        self.wait_for_access('"GET /small HTTP/2.0" 304')

    def test_redirect_is_for_the_client_to_follow(self):
        self.serve()
        response = self.get("/old")
        self.assertEqual((response.status, response.headers["Location"]),
                         (301, "https://other.example/"))

    def test_certificate_of_another_name_is_refused(self):
        self.serve("DNS:other.example", retries="0")
        self.assertEqual(self.get("/small").status, 502)
        wait_until(lambda: "upstream api: SSL" in self.gate.log(), "the log")

    def test_unknown_authority_is_refused(self):
        self.serve(retries="0", ca_file="/etc/ssl/certs/ca-certificates.crt")
        self.assertEqual(self.get("/small").status, 502)


if __name__ == "__main__":
    unittest.main()
