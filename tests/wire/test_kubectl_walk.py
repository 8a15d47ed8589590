"""Less daily commands of the unmodified kubectl against `tidegate up`: into pods, and around objects."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import unittest
import urllib.error
import urllib.request

from harness import eventually
from harness.api import Api
from harness.process import free_port

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: vllm/vllm-openai, args: [--model, m], ports: [{name: http, containerPort: 8000}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
"""

IDLE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: idle, labels: {app: idle}}
spec:
  replicas: 0
  selector: {matchLabels: {app: idle}}
  template:
    metadata: {labels: {app: idle}}
    spec: {containers: [{name: main, image: example/one}]}
"""


def config_map(name, **labels):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": {"a": name}})


@unittest.skipUnless(shutil.which("kubectl"), "no kubectl on PATH; ./test.sh --peers gets one")
class IntoPods(Api):
    def setUp(self):
        super().setUp()
        self.kubectl("apply", "-f", "-", stdin=WEB)
        self.kubectl("rollout", "status", "deploy/web", "--timeout=40s")

    @contextlib.contextmanager
    def forwarding(self, target, ports, **env):
        """kubectl port-forward while it runs; gives the port it listens on."""
        child = subprocess.Popen(
            ["kubectl", "port-forward", target, ports], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": self.folder, **env})
        try:
            line = child.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            self.assertTrue(found, line)
            yield int(found.group(1)), child
        finally:
            child.terminate()
            child.wait()
            child.stdout.close()

    def complete(self, connection, **more):
        body = {"model": "m", "prompt": "x", "max_tokens": 3, **more}
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        return connection.getresponse()

    def test_a_port_over_either_protocol(self):
        for env in ({}, {"KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}):
            with self.forwarding("svc/web", ":80", **env) as (port, child):
                # One connection for several requests, then several at a time.
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                for _ in range(3):
                    answer = self.complete(connection)
                    self.assertEqual((answer.status, json.load(answer)["model"]), (200, "m"))
                connection.close()
                told = []

                def one():
                    each = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                    told.append(self.complete(each, stream=True).read().decode().count("data: "))
                    each.close()

                threads = [threading.Thread(target=one) for _ in range(8)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                self.assertEqual(len(told), 8)
                self.assertGreaterEqual(min(told), 3)
                # More than fits into any buffer on the way, towards the pod: refused there, in whole.
                large = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                self.assertIn(self.complete(large, prompt="x " * (1 << 20)).status, (200, 400, 413))
                large.close()
                self.assertIsNone(child.poll())

    def test_a_port_that_nobody_serves(self):
        with self.forwarding("deploy/web", ":8001") as (port, child):
            with self.assertRaises(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10)
            self.assertIn("an error occurred forwarding", eventually(
                lambda: next((line for line in iter(child.stdout.readline, "") if "error" in line), None), "kubectl to say so"))

    def test_what_asks_without_an_upgrade_is_told_so(self):
        pod = self.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
        path = f"/api/v1/namespaces/default/pods/{pod}/portforward"
        self.assert_status(self.ask("GET", path), 400, "BadRequest", "Upgrade request required")
        self.assert_status(self.ask("POST", path), 400, "BadRequest", "Upgrade request required")

    def test_what_pods_here_cannot_is_said(self):
        pod = self.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
        self.assertIn("ephemeral containers are disabled", self.kubectl("debug", pod, "--image=busybox", fails=True))
        self.assertIn("could not find the requested resource", self.kubectl("attach", pod, fails=True))

    def test_files_through_tar(self):
        pod = self.kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
        here, there, back = (pathlib.Path(self.folder) / name for name in ("here", "there", "back"))
        here.write_bytes(os.urandom(300_000))
        self.kubectl("cp", here, f"{pod}:{there}")
        self.assertEqual(there.read_bytes(), here.read_bytes())
        self.kubectl("cp", f"{pod}:{there}", back)
        self.assertEqual(back.read_bytes(), here.read_bytes())


@unittest.skipUnless(shutil.which("kubectl"), "no kubectl on PATH; ./test.sh --peers gets one")
class AroundObjects(Api):
    def test_what_changes_and_what_would(self):
        self.kubectl("apply", "-f", "-", stdin=IDLE)
        changed = IDLE.replace("example/one", "example/two")
        differs = self.kubectl_all("diff", "-f", "-", stdin=changed)
        self.assertEqual(differs.returncode, 1, differs.stderr)
        self.assertIn("+      - image: example/two", differs.stdout)
        self.assertEqual(self.kubectl_all("diff", "-f", "-", stdin=IDLE).returncode, 0)
        self.assertIn("server dry run", self.kubectl("apply", "--dry-run=server", "-f", "-", stdin=changed))
        for image in ("two", "three"):
            self.kubectl("set", "image", "deploy/idle", f"main=example/{image}")
            self.kubectl("rollout", "status", "deploy/idle", "--timeout=20s")
        image = lambda: self.kubectl("get", "deploy", "idle", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
        self.kubectl("rollout", "undo", "deploy/idle", "--to-revision=1")
        self.assertEqual(image(), "example/one")
        self.kubectl("rollout", "restart", "deploy/idle")
        self.kubectl("rollout", "status", "deploy/idle", "--timeout=20s")
        uid = self.kubectl("get", "deploy", "idle", "-o", "jsonpath={.metadata.uid}")
        self.kubectl("replace", "--force", "-f", "-", stdin=changed)
        self.assertEqual(image(), "example/two")
        self.assertNotEqual(self.kubectl("get", "deploy", "idle", "-o", "jsonpath={.metadata.uid}"), uid)
        self.kubectl("delete", "deploy", "idle", "--cascade=foreground")
        self.assertEqual(self.kubectl("get", "rs", "-l", "app=idle", "-o", "name"), "")

    def test_what_is_undone_is_the_revision_that_was(self):
        # kubectl makes this one as protobuf and undoes it as JSON: the template must still be the same.
        self.kubectl("create", "deployment", "made", "--image=example/one", "--replicas=0", "--port=8000")
        for change in (["set", "env", "deploy/made", "A=b"], ["rollout", "restart", "deploy/made"], ["rollout", "undo", "deploy/made"]):
            self.kubectl(*change)
            self.kubectl("rollout", "status", "deploy/made", "--timeout=20s")
        history = self.kubectl("rollout", "history", "deploy/made")
        self.assertEqual(re.findall(r"^(\d+) ", history, re.MULTILINE), ["1", "3", "4"])

    def test_labels_choose(self):
        for name, app in (("b", "x"), ("a", "x"), ("c", "y")):
            self.kubectl("create", "-f", "-", stdin=config_map(name, app=app))
        names = "jsonpath={.items[*].metadata.name}"
        self.assertEqual(self.kubectl("get", "cm", "-l", "app", "--sort-by={.data.a}", "-o", names), "a b c")
        self.assertEqual(self.kubectl("get", "cm", "-l", "app!=x,app", "-o", names), "c")
        self.kubectl("label", "cm", "-l", "app in (x)", "tier=one")
        self.kubectl("label", "cm", "a", "tier=two", "--overwrite")
        self.assertIn("--overwrite", self.kubectl("annotate", "cm", "-l", "app", "note=1") and
                      self.kubectl("annotate", "cm", "a", "note=2", fails=True))
        self.kubectl("annotate", "cm", "a", "note=2", "--overwrite")
        self.kubectl("annotate", "cm", "b", "note-")
        self.assertEqual(self.kubectl("get", "cm", "-l", "app", "-o", "jsonpath={.items[*].metadata.annotations.note}"), "2 1")
        self.assertEqual(self.kubectl("get", "cm", "-l", "tier", "-L", "tier", "--no-headers").split()[-1], "one")
        self.kubectl("delete", "cm", "-l", "tier=one")
        self.assertEqual(self.kubectl("get", "cm", "-l", "app", "-o", names), "a c")

    def test_what_apply_no_longer_finds_is_pruned(self):
        both = config_map("a", app="p") + config_map("b", app="p")
        prune = ["apply", "--prune", "-l", "app=p", "--prune-allowlist=core/v1/ConfigMap", "-f", "-"]
        self.kubectl(*prune, stdin=both)
        self.assertIn("configmap/b pruned", self.kubectl(*prune, stdin=config_map("a", app="p")))
        self.assertEqual(self.kubectl("get", "cm", "-l", "app=p", "-o", "name").strip(), "configmap/a")

    def test_nodes_are_kept_from_pods(self):
        node = self.kubectl("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
        self.kubectl("cordon", node)
        self.assertIn("SchedulingDisabled", self.kubectl("get", "nodes"))
        self.kubectl("uncordon", node)
        self.kubectl("taint", "nodes", node, "gpu=yes:NoSchedule")
        self.assertIn("gpu=yes:NoSchedule", self.kubectl("describe", "node", node))
        self.kubectl("taint", "nodes", node, "gpu-")
        self.kubectl("apply", "-f", "-", stdin=WEB)
        self.kubectl("rollout", "status", "deploy/web", "--timeout=40s")
        pod = self.kubectl("get", "pods", "-o", "name").strip()
        self.assertIn("evicting pod", self.kubectl("drain", node, "--ignore-daemonsets", "--timeout=40s"))
        self.kubectl("uncordon", node)
        self.assertNotIn(pod, self.kubectl("get", "pods", "-o", "name"))

    def test_what_a_field_means(self):
        self.assertIn("maxSurge", self.kubectl("explain", "deployment", "--recursive"))
        self.assertIn("modelName", self.kubectl("explain", "inferencemodel.spec", "--recursive"))
        self.assertIn("yes", self.kubectl("auth", "can-i", "delete", "inferencepools", "--all-namespaces"))
        self.kubectl("auth", "can-i", "--list")
        self.assertIn("admin", self.kubectl("auth", "whoami").lower())

    def test_what_is_behind_kubectl(self):
        self.assertEqual(json.loads(self.kubectl("get", "--raw", "/api/v1/namespaces/default"))["metadata"]["name"], "default")
        self.assertIn("ok", self.kubectl("get", "--raw", "/readyz"))
        port = free_port()
        child = subprocess.Popen(["kubectl", "proxy", f"--port={port}"], stdout=subprocess.DEVNULL,
                                 env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": self.folder})

        def asked():
            try:
                return json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/apis/apps/v1", timeout=5))
            except (OSError, urllib.error.URLError):
                return None

        try:
            self.assertEqual(eventually(asked, "kubectl proxy")["groupVersion"], "apps/v1")
        finally:
            child.terminate()
            child.wait()

    def test_waiting_and_what_happened(self):
        self.kubectl("apply", "-f", "-", stdin=WEB)
        self.kubectl("wait", "--for=jsonpath={.status.readyReplicas}=1", "deploy/web", "--timeout=40s")
        self.kubectl("wait", "--for=condition=Available", "deploy/web", "--timeout=20s")
        self.assertIn("ScalingReplicaSet", self.kubectl("events", "--for", "deployment/web"))
        self.kubectl("autoscale", "deployment", "web", "--min=1", "--max=2", "--cpu-percent=80")
        self.assertRegex(self.kubectl("get", "hpa", "web"), r"Deployment/web\s+cpu: \S+/80%\s+1\s+2")
        self.kubectl("expose", "deploy", "web", "--port=80", "--target-port=8000", "--name=other")
        self.assertIn("80/TCP", self.kubectl("get", "svc", "other"))
        pod = self.kubectl("get", "pods", "-o", "name").strip()
        self.kubectl("delete", "deploy", "web", "--wait=false")
        self.kubectl("wait", "--for=delete", pod, "--timeout=40s")


if __name__ == "__main__":
    unittest.main()
