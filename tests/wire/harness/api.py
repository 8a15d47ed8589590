"""`tidegate up` without manifests, asked as a program asks an API server and through the unmodified kubectl."""

import json
import os
import pathlib
import ssl
import subprocess
import urllib.error
import urllib.request

from . import settings
from .case import WireTest


class Api(WireTest):
    """One home per test."""

    def setUp(self):
        super().setUp()
        self.data = pathlib.Path(self.folder) / "data"
        self.manifests = pathlib.Path(self.folder) / "manifests"
        self.manifests.mkdir()
        self.start()

    def start(self, *extra):
        self.up = self.home("--engine", "simulate", *extra)
        self.kubeconfig = self.data / "kubeconfig"
        lines = [line.strip() for line in self.kubeconfig.read_text().splitlines()]
        self.server = next(line.split(": ")[1] for line in lines if line.startswith("server:"))
        self.token = next(line.split(": ")[1] for line in lines if line.startswith("token:"))

    # Requests as a program makes them.

    def request(self, method, path, body=None, content_type="application/json", token=None, accept="application/json"):
        """(status, answer as text, headers)."""
        data = body if body is None or isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        headers = {"Content-Type": content_type, "Accept": accept}
        token = self.token if token is None else token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        asked = urllib.request.Request(self.server + path, data=data, method=method, headers=headers)
        context = ssl.create_default_context(cafile=self.data / "pki" / "ca.crt")
        try:
            with urllib.request.urlopen(asked, context=context, timeout=30) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.headers

    def ask(self, method, path, body=None, **options):
        """(status, answer as JSON)."""
        status, text, _ = self.request(method, path, body, **options)
        return status, json.loads(text)

    def assert_status(self, answer, code, reason, says=""):
        status, body = answer
        self.assertEqual((status, body.get("kind"), body.get("reason")), (code, "Status", reason), body)
        self.assertEqual(body["code"], code)
        self.assertIn(says, body["message"])
        return body

    def kubectl_all(self, *args, stdin=None):
        return subprocess.run(
            ["kubectl", *map(str, args)], input=stdin, capture_output=True, text=True, timeout=60,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": self.folder, "KUBE_EDITOR": "sed -i s/v1x/v2x/"})

    def kubectl(self, *args, stdin=None, fails=False, may_fail=False):
        """What it wrote: to stdout, or to stderr where it has to fail."""
        done = self.kubectl_all(*args, stdin=stdin)
        if (done.returncode != 0) != fails and not may_fail:
            raise AssertionError(f"kubectl {args}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stderr if fails else done.stdout

    def tidegate(self, *args, stdin=None):
        return subprocess.run([settings.BINARY, *map(str, args)], env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
                              input=stdin, capture_output=True, text=True, timeout=60)
