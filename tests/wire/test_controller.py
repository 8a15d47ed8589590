"""`tidegate controller` over an API server that does nothing by itself: the loops are all that acts."""

import json
import os
import subprocess

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


class Controller(WireTest):
    def tidegate(self, *words, given=None):
        done = subprocess.run([settings.BINARY, *words], env=self.environment, input=given, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def get(self, what):
        return json.loads(self.tidegate("get", what, "-o", "json"))["items"]

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
        self.tidegate("delete", "isvc", "chat")
        eventually(lambda: not self.get("ingresses") and not self.get("hpa") and not self.get("deployments"), "all of it to go", every=0.1)
        self.assertTrue(controller.alive(), controller.log())
        self.assertEqual(controller.stop(), 0)
