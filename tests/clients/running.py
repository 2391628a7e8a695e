"""Starts and ends the real server for the tests of others' clients. Knows the command line and how the admin API is asked;
nothing of tokens."""

import json
import os
import pathlib
import subprocess
import tempfile
import urllib.request

STOP_LIMIT_SECONDS = 10


class Server:
    """`$RESCIND_BIN serve --dev` on free loopback ports, with a data directory of its own."""

    def __init__(self, **settings):
        binary = os.environ.get("RESCIND_BIN")
        if not binary:
            raise RuntimeError("RESCIND_BIN is not set: give it the path of a built `rescind`")
        self.home = tempfile.TemporaryDirectory(prefix="rescind-clients-")
        home = pathlib.Path(self.home.name)
        # An operator's settings must not reach the server under test.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RESCIND_")}
        environment.update({f"RESCIND_{name.upper()}": str(value) for name, value in settings.items()})
        self.log = home / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [os.path.abspath(binary), "serve", "--dev", "--data", home / "data"]
                + ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
                cwd=home, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            )
        # Both addresses are printed when the listeners are there.
        self.url = self.process.stdout.readline().decode().strip()
        self.admin_url = self.process.stdout.readline().decode().strip().removeprefix("admin ")
        if not (self.url.startswith("http") and self.admin_url.startswith("http")):
            told = self.log.read_text()
            self.stop()
            raise RuntimeError(f"the server did not start:\n{told}")
        self.admin_token = (home / "data" / "admin-token").read_text().strip()

    def admin(self, method, path, body=None):
        """Asks the admin API, as an operator does; fails where it refuses."""
        request = urllib.request.Request(f"{self.admin_url}{path}", method=method)
        request.add_header("Authorization", f"Bearer {self.admin_token}")
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    def open_session(self, subject="alice", **more):
        """A new pair of tokens."""
        return self.admin("POST", "/admin/v1/sessions", {"subject": subject, **more})

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.home.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
