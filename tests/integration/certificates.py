"""Certificates for tests, made by openssl(1)."""

import os
import subprocess


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder, name="ca"):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        self.path = self.place("ca.pem")
        self.key = self.place("ca.key")
        self.count = 0
        self.run("req", "-x509", *self.new_key(self.key), "-subj", f"/CN={name}",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                 "-days", "30", "-out", self.path)

    def place(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", path]

    @staticmethod
    def run(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def issue(self, names, days=30):
        """A certificate for names ("DNS:localhost,IP:127.0.0.1"): the paths of it
        and of its key."""
        self.count += 1
        key, request, certificate, extensions = (
            self.place(f"{self.count}.{kind}") for kind in ("key", "csr", "pem", "ext"))
        with open(extensions, "w", encoding="utf-8") as file:
            file.write(f"subjectAltName={names}\n")
        self.run("req", *self.new_key(key), "-subj", "/CN=test", "-out", request)
        validity = ["-days", str(days)]
        if days < 0 and b"-not_after" in subprocess.run(
                ["openssl", "x509", "-help"], capture_output=True, check=False).stderr:
            # OpenSSL 3.5 has no negative days, 3.0 no such dates.
            validity = ["-not_before", "20200101000000Z", "-not_after", "20200102000000Z"]
        self.run("x509", "-req", "-in", request, "-CA", self.path, "-CAkey", self.key,
                 "-CAcreateserial", *validity, "-extfile", extensions, "-out", certificate)
        return certificate, key
