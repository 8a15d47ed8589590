"""The verbs (get, apply, wait, scale, logs) against an API server that answers as it is told here."""

import http.server
import json
import pathlib
import subprocess
import tempfile
import threading
import urllib.parse

from harness import WireTest, settings

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "http://127.0.0.1:%d"}}]
users: [{name: me, user: {}}]
contexts: [{name: here, context: {cluster: here, user: me}}]
"""
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "default", "resourceVersion": "5"},
       "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "Starting", "message": "not yet"}]}}
TABLE = {"kind": "Table", "columnDefinitions": [{"name": "Name"}, {"name": "Ready"}, {"name": "Node", "priority": 1}],
         "rows": [{"cells": ["a", "0/1", "home"]}]}


class ApiServer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def not_found(self):
        self.answer(404, {"kind": "Status", "code": 404, "reason": "NotFound", "message": "there is none"})

    def do_GET(self):
        path = urllib.parse.urlparse(self.path).path
        table = "as=Table" in self.headers.get("Accept", "")
        if path == "/api/v1":
            self.answer(200, {"resources": [{"name": "pods"}, {"name": "configmaps"}]})
        elif path == "/apis/apps/v1":
            self.answer(200, {"resources": [{"name": "deployments"}]})
        elif path == "/api/v1/namespaces/default/pods":
            self.answer(200, TABLE if table else {"kind": "PodList", "items": [POD]})
        elif path == "/api/v1/namespaces/default/pods/a":
            self.answer(200, TABLE if table else POD)
        elif path == "/api/v1/namespaces/default/pods/a/log":
            self.answer(200, f"{urllib.parse.urlparse(self.path).query}\n".encode())
        else:
            self.not_found()

    def write(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.writes.append((self.command, self.path.split("?")[0], body))
        self.answer(200, body)

    do_POST = do_PATCH = write


class Verbs(WireTest):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ApiServer)
        self.server.writes = []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubeconfig.write_text(KUBECONFIG % self.server.server_port)

    def verb(self, *words, status=0, text=""):
        done = subprocess.run([str(settings.BINARY), *words, "--kubeconfig", str(self.kubeconfig)], input=text,
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def test_get_shows_the_servers_columns_and_whole_objects(self):
        self.assertEqual(self.verb("get", "pods"), "NAME   READY\na      0/1\n")
        self.assertEqual(self.verb("get", "po", "a", "-o", "wide"), "NAME   READY   NODE\na      0/1     home\n")
        self.assertEqual(self.verb("get", "pod/a", "-o", "name"), "pod/a\n")
        self.assertEqual(self.verb("get", "pods", "-o", "jsonpath={.items[*].metadata.name}"), "a")
        self.assertEqual(json.loads(self.verb("get", "pod", "a", "-o", "json")), POD)

    def test_apply_names_the_line_and_sends_nothing_of_what_is_wrong(self):
        good = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: good}\n"
        said = self.verb("apply", "-f", "-", text=good + "---\n" + good.replace("good", "B_d"), status=1)
        self.assertIn("standard input:7: ConfigMap B_d: metadata.name", said)
        self.assertEqual(self.server.writes, [])
        self.assertEqual(self.verb("apply", "-f", "-", text=good), "configmap/good created\n")
        self.assertEqual(self.server.writes[0][:2], ("POST", "/api/v1/namespaces/default/configmaps"))

    def test_wait_tells_what_the_object_says(self):
        said = self.verb("wait", "pod/a", "--for=condition=Ready", "--timeout=0.3s", status=1)
        self.assertIn("timed out waiting for pod/a; it says Ready=False Starting: not yet", said)
        self.assertEqual(self.verb("wait", "pod/b", "--for=delete"), "pod/b deleted\n")

    def test_scale_and_logs_use_the_subresources(self):
        self.verb("scale", "deploy/d", "--replicas=3")
        self.assertEqual(self.server.writes, [("PATCH", "/apis/apps/v1/namespaces/default/deployments/d/scale",
                                               {"spec": {"replicas": 3}})])
        self.assertEqual(self.verb("logs", "a", "--tail=5", "-f"), "follow=true&tailLines=5\n")
