"""`tidegate controller` over an API server that does nothing by itself: the loops are all that acts."""

import json
import os
import shutil
import signal
import subprocess
import time

from harness import WireTest, eventually, settings
from harness.process import Process

SERVICE = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: chat}
spec:
  predictor:
    minReplicas: 1
    maxReplicas: 3
    scaleMetric: concurrency
    scaleTarget: 2
    containers: [{name: kserve-container, image: "vllm:1", command: [vllm, serve, /m]}]
"""

SQUADS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: squads.sport.example.com}
spec:
  group: sport.example.com
  names: {kind: Squad, plural: squads}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size, labelSelectorPath: .status.selector}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""

RED = """
apiVersion: sport.example.com/v1
kind: Squad
metadata: {name: red}
spec: {size: 1}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: red, annotations: {tidegate.dev/scaling-period: 1s}}
spec:
  scaleTargetRef: {apiVersion: sport.example.com/v1, kind: Squad, name: red}
  minReplicas: 2
  maxReplicas: 3
"""


class Controller(WireTest):
    def tidegate(self, *words, given=None):
        done = subprocess.run([settings.BINARY, *words], env=self.environment, input=given, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def get(self, what):
        return json.loads(self.tidegate("get", what, "-o", "json"))["items"]

    def scales_what_it_knows_nothing_of(self):
        for given in (SQUADS, RED):
            subprocess.run(["kubectl", "apply", "-f", "-"], env=self.environment, input=given, check=True, capture_output=True, text=True)
        eventually(lambda: self.get("squads")[0]["spec"]["size"] == 2, "two in the squad", every=0.1)
        self.tidegate("delete", "hpa", "red")

    def test_serving_and_autoscale(self):
        kubeconfig = f"{self.folder}/data/kubeconfig"
        self.environment = {**os.environ, "KUBECONFIG": kubeconfig}
        self.own(Process([settings.BINARY, "apiserver", "--data", f"{self.folder}/data", "--api-port", "0"], self.folder, "api"))
        eventually(lambda: os.path.exists(kubeconfig), "the kubeconfig")
        controller = self.own(Process([settings.BINARY, "controller", "--kubeconfig", kubeconfig, "--controllers",
                                       "workload,serving,autoscale", "--ingress-domain", "models.test"], self.folder, "controller"))
        self.tidegate("apply", "-f", "-", given=SERVICE)
        eventually(lambda: [p["metadata"]["labels"]["app"] for p in self.get("pods")] == ["isvc.chat-predictor"], "a pod", every=0.1)
        self.assertEqual(self.get("ingresses")[0]["spec"]["rules"][0]["host"], "chat-default.models.test")
        self.assertEqual([s["metadata"]["name"] for s in self.get("services") if s["metadata"]["name"] != "kubernetes"], ["chat-predictor"])

        def scaled():
            conditions = {c["type"]: c for c in self.get("hpa")[0].get("status", {}).get("conditions", [])}
            return conditions.get("AbleToScale", {}).get("status") == "True" and conditions.get("ScalingActive")

        # No kubelet runs the pod, so nothing can be measured, and that is said.
        self.assertEqual(eventually(scaled, "the autoscaler's conditions", every=0.1)["reason"], "FailedGetPodsMetric")
        if shutil.which("kubectl"):
            self.scales_what_it_knows_nothing_of()
        self.tidegate("delete", "isvc", "chat")
        eventually(lambda: not self.get("ingresses") and not self.get("hpa") and not self.get("deployments"), "all of it to go", every=0.1)
        self.assertTrue(controller.alive(), controller.log())
        self.assertEqual(controller.stop(), 0)


class Election(WireTest):
    """Several controllers over one API server: the one that holds the Lease acts."""

    FAST = ["--leader-elect-lease-duration", "3s", "--leader-elect-renew-deadline", "2s", "--leader-elect-retry-period", "200ms"]

    def setUp(self):
        super().setUp()
        self.kubeconfig = f"{self.folder}/data/kubeconfig"
        self.api = self.own(Process([settings.BINARY, "apiserver", "--data", f"{self.folder}/data", "--api-port", "0"], self.folder, "api"))
        eventually(lambda: os.path.exists(self.kubeconfig), "the kubeconfig")

    def controller(self, name, *flags):
        return self.own(Process([settings.BINARY, "controller", "--kubeconfig", self.kubeconfig, "--controllers", "workload",
                                 *(flags or self.FAST)], self.folder, name))

    def tidegate(self, *words, given=None):
        done = subprocess.run([settings.BINARY, *words], env={**os.environ, "KUBECONFIG": self.kubeconfig}, input=given, capture_output=True,
                              text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def lease(self):
        return json.loads(self.tidegate("get", "lease", "tidegate-controller", "-n", "kube-system", "-o", "json"))["spec"]

    def works(self, name):
        """A ReplicaSet gets its pods, once each."""
        self.tidegate("apply", "-f", "-", given=f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {name}}}}}
  template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: c, image: "vllm:1"}}]}}}}
""")

        def pods():
            return [p for p in json.loads(self.tidegate("get", "pods", "-o", "json"))["items"] if p["metadata"]["labels"]["app"] == name]

        eventually(lambda: len(pods()) >= 2, f"{name}'s pods", every=0.1)
        time.sleep(0.5)
        self.assertEqual(len(pods()), 2)

    def test_one_acts_and_the_next_takes_over(self):
        first = self.controller("first")
        eventually(lambda: "workload over" in first.log(), "the first to lead")
        second = self.controller("second")
        eventually(lambda: "leads" in second.log(), "the second to see it")
        self.works("one")
        self.assertNotIn("workload over", second.log())
        lease = self.lease()
        self.assertEqual((lease["leaseDurationSeconds"], lease["leaseTransitions"]), (3, 0))

        # Told to stop it gives the Lease back, and nobody waits for its end.
        stopped = time.monotonic()
        self.assertEqual(first.stop(), 0, first.log())
        eventually(lambda: "workload over" in second.log(), "the second to lead")
        self.assertLess(time.monotonic() - stopped, 2)
        self.works("two")
        self.assertNotEqual(self.lease()["holderIdentity"], lease["holderIdentity"])
        self.assertEqual(self.lease()["leaseTransitions"], 1)
        events = self.tidegate("describe", "lease", "tidegate-controller", "-n", "kube-system")
        self.assertIn("became leader", events)

    def test_one_that_dies_is_followed_after_its_lease(self):
        first = self.controller("first")
        eventually(lambda: "workload over" in first.log(), "the first to lead")
        second = self.controller("second")
        eventually(lambda: "leads" in second.log(), "the second to see it")
        killed = time.monotonic()
        first.signal(signal.SIGKILL)
        eventually(lambda: "workload over" in second.log(), "the second to lead", seconds=20)
        self.assertGreater(time.monotonic() - killed, 2, "the lease holds")
        self.assertLess(time.monotonic() - killed, 10)

    def test_one_that_was_frozen_ends_itself(self):
        first = self.controller("first")
        eventually(lambda: "workload over" in first.log(), "the first to lead")
        second = self.controller("second")
        first.signal(signal.SIGSTOP)
        eventually(lambda: "workload over" in second.log(), "the second to lead", seconds=20)
        first.signal(signal.SIGCONT)
        self.assertEqual(first.wait(10), 1, first.log())
        self.assertIn("leads no more", first.log())
        self.works("one")

    def test_without_the_api_server_it_leads_no_more(self):
        first = self.controller("first")
        eventually(lambda: "workload over" in first.log(), "the first to lead")
        self.api.signal(signal.SIGSTOP)
        began = time.monotonic()
        self.assertEqual(first.wait(20), 1, first.log())
        self.assertLess(time.monotonic() - began, 5)
        self.assertIn("start it again", first.log())
        self.api.signal(signal.SIGCONT)

    def test_flags(self):
        alone = self.controller("alone", "--leader-elect=false")
        eventually(lambda: "workload over" in alone.log(), "it to act")
        self.assertEqual(json.loads(self.tidegate("get", "leases", "-A", "-o", "json"))["items"], [])
        for flags, says in [
            (["--leader-elect-lease-duration", "1s"], "--leader-elect-lease-duration must be longer than --leader-elect-renew-deadline"),
            (["--leader-elect-retry-period", "soon"], '--leader-elect-retry-period is "soon"; use a duration'),
            (["--leader-elect-resource-name", "A B"], "--leader-elect-resource-name is no name of a Lease"),
        ]:
            bad = self.controller("bad", *flags)
            self.assertEqual(bad.wait(10), 2, bad.log())
            self.assertIn(says, bad.log())
        lost = self.controller("lost", "--leader-elect-resource-namespace", "nowhere")
        eventually(lambda: "name a namespace that exists" in lost.log(), "advice")
