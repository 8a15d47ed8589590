"""The line to the data centre is cut: the cloud's gateway leaves the endpoints there, the one there serves on, and nothing shrinks unseen."""

import json
import os
import pathlib
import subprocess
import threading
import time
import unittest

from harness import FakeEngine, Gateway, WireTest, eventually, json_body, manifests, post_bytes, settings, slow
from harness.process import Process
from harness.site import EDGE, Site, usable

OBJECTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: engine, image: vllm}}]}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: {name}, annotations: {annotations}}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}
  minReplicas: 1
  maxReplicas: 3
  metrics: [{{type: Pods, pods: {{metric: {{name: "vllm:num_requests_running"}}, target: {{type: AverageValue, averageValue: "5"}}}}}}]
  behavior: {{scaleDown: {{stabilizationWindowSeconds: 0}}}}
"""


class Load:
    """One request after the other at the edge's own gateway, from a client there."""

    def __init__(self, site, gateway):
        self.site, self.gateway, self.statuses = site, gateway, []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        with self.site.inside():
            while not self.stopping.is_set():
                self.statuses.append(self.gateway.completion().status)
                self.stopping.wait(0.01)

    def stop(self):
        self.stopping.set()
        self.thread.join()


@unittest.skipUnless(usable(), "no right to make network namespaces, or no iproute2")
class Edge(WireTest):
    def setUp(self):
        super().setUp()
        self.site = self.own(Site(self.folder))
        with self.site.inside():
            self.there = self.own(FakeEngine(host=EDGE))
        self.here = self.engine()

    def gateways(self):
        with self.site.inside():
            folder = pathlib.Path(self.folder) / "edge"
            folder.mkdir()
            self.edge_door = self.own(Gateway(folder, manifests.canary([self.there], {"sql-lora": 1}))).ready()
        self.door = self.gateway(manifests.canary([self.there, self.here], {"sql-lora": 1}),
                                 extra=["--scrape-timeout", "500ms", "--connect-timeout", "1s", "--weight-lora", "0", "--weight-prefix", "0"])
        eventually(lambda: all(row["scrapeAgeSeconds"] is not None for row in self.rows().values()) and len(self.rows()) == 2, "both")

        def both_serve():
            self.assertEqual(self.door.completion().status, 200)
            return self.there.requests and self.here.requests
        eventually(both_serve, "requests at both")

    def rows(self):
        return {row["endpoint"]: row for row in json.loads(self.door.stats("/endpoints").body)}

    def test_the_clouds_gateway_leaves_it_and_the_edges_serves_on(self):
        self.gateways()
        load = self.own(Load(self.site, self.edge_door))
        before = self.rows()[self.there.address]["scrapesFailed"]
        self.site.cut()
        row = eventually(lambda: next((r for r in [self.rows()[self.there.address]] if not r["healthy"]), None), "the endpoint to be left")
        self.assertLessEqual(row["scrapesFailed"] - before, 2, "within two probes")
        retries = self.door.metric("tidegate_retries_total")
        end, answered = time.monotonic() + 4, 0
        while time.monotonic() < end:
            self.assertEqual(self.door.completion().status, 200)
            answered += 1
            self.assertEqual(self.rows()[self.there.address]["inFlight"], 0)
        self.assertGreater(answered, 20)
        self.assertEqual(self.door.metric("tidegate_retries_total"), retries, "nobody tried it meanwhile")
        self.assertFalse(self.rows()[self.there.address]["healthy"])
        served = len(load.statuses)
        eventually(lambda: len(load.statuses) > served + 20, "answers at the edge")
        self.site.mend()
        eventually(lambda: self.rows()[self.there.address]["healthy"], "its return", seconds=60)
        load.stop()
        self.assertEqual(set(load.statuses), {200})
        seen = len(self.there.requests)
        eventually(lambda: self.door.completion().status == 200 and len(self.there.requests) > seen, "requests there again")

    @slow
    def test_what_was_on_its_way_is_answered_elsewhere(self):
        self.gateways()
        statuses = []
        self.site.cut()
        # At once, while its endpoints still count as well: connections that are kept lead into the void.
        body = json_body(model="lora-request", prompt="Write", max_tokens=3)

        def ask():
            with self.door.connect(timeout=90) as connection:
                statuses.append(connection.ask(post_bytes("/v1/completions", body, host="test.com")).status)
        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
        self.assertEqual(statuses, [200] * 12)

    # Scaling.

    def tidegate(self, *words, given=None):
        done = subprocess.run([settings.BINARY, *words], env=self.environment, input=given, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def get(self, what):
        return json.loads(self.tidegate("get", what, "-o", "json"))["items"]

    def replicas(self, name):
        return next(d for d in self.get("deployments") if d["metadata"]["name"] == name)["spec"]["replicas"]

    def start_scaling(self, name, annotations):
        """Two pods, one of them at the edge, each with an engine's page."""
        kubeconfig = f"{self.folder}/data/kubeconfig"
        self.environment = {**os.environ, "KUBECONFIG": kubeconfig}
        self.own(Process([settings.BINARY, "apiserver", "--data", f"{self.folder}/data", "--api-port", "0"], self.folder, "api"))
        eventually(lambda: os.path.exists(kubeconfig), "the kubeconfig")
        stats = ["--gateway-stats", f"127.0.0.1:{self.door.stats_port}"] if annotations.get("demand") else []
        self.own(Process([settings.BINARY, "controller", "--kubeconfig", kubeconfig, "--controllers", "workload,autoscale", *stats],
                         self.folder, "controller"))
        for engine in (self.there, self.here):
            engine.gauges["num_requests_running"] = 5
        deployment, autoscaler = OBJECTS.format(name=name, annotations=annotations["text"]).split("---")
        self.tidegate("apply", "-f", "-", given=deployment)
        pods = eventually(lambda: self.get("pods") if len(self.get("pods")) == 2 else None, "two pods", every=0.1)
        lines = [line.strip() for line in pathlib.Path(kubeconfig).read_text().splitlines()]
        for pod, engine in zip(pods, (self.there, self.here)):
            self.run_pod(lines, pod["metadata"]["name"], engine)
        self.tidegate("apply", "-f", "-", given=autoscaler)

    def run_pod(self, kubeconfig, name, engine):
        """What a kubelet says of a pod that runs."""
        server, token = (next(line.split(": ")[1] for line in kubeconfig if line.startswith(word)) for word in ("server:", "token:"))
        for path, patch in ((name, {"metadata": {"annotations": {"prometheus.io/port": str(engine.port)}}}),
                            (name + "/status", {"status": {"phase": "Running", "podIP": engine.host, "startTime": "2026-01-01T00:00:00Z",
                                                           "conditions": [{"type": "Ready", "status": "True"}]}})):
            subprocess.run(["curl", "-sfk", "-X", "PATCH", "-H", f"Authorization: Bearer {token}",
                            "-H", "Content-Type: application/merge-patch+json", "-d", json.dumps(patch),
                            f"{server}/api/v1/namespaces/default/pods/{path}"], check=True, capture_output=True, timeout=30)

    def stays_until_mended(self, name, left):
        def measured():
            status = next(h for h in self.get("hpa") if h["metadata"]["name"] == name).get("status", {})
            return {c["type"]: c["status"] for c in status.get("conditions", [])}.get("ScalingActive") == "True"
        eventually(measured, "samples of both", seconds=30, every=0.2)
        self.site.cut()
        time.sleep(7)  # samples of before count for five seconds
        self.here.gauges["num_requests_running"] = left
        end = time.monotonic() + 5
        while time.monotonic() < end:
            self.assertEqual(self.replicas(name), 2, "it shrank on what nobody has seen")
            time.sleep(0.3)
        self.there.gauges["num_requests_running"] = 0
        self.site.mend()
        eventually(lambda: self.replicas(name) == 1, "one replica, now that all is seen", seconds=60, every=0.2)

    @slow
    def test_the_hpa_does_not_shrink_on_missing_samples(self):
        self.start_scaling("hpa", {"text": '{tidegate.dev/scaling-period: "500ms"}'})
        # By the algorithm a pod that is missing counts as one at its target: (3 + 5) / 5 rounds up to two. Left out, it would be one.
        self.stays_until_mended("hpa", left=3)

    @slow
    def test_demand_does_not_shrink_on_missing_samples(self):
        self.gateways()  # the gateway speaks all the time; what others send to the edge it cannot know
        self.start_scaling("demand", {"demand": True, "text": '{tidegate.dev/scaling-period: "500ms", '
                                      'tidegate.dev/scaling-rule: demand, tidegate.dev/replica-capacity: "10"}'})
        self.stays_until_mended("demand", left=0)
