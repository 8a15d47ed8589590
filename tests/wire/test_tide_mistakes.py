"""What is wrong with a policy, an autoscaler or a pod is said by `describe`, in a condition and an event; nothing waits in silence."""

import json
import os
import subprocess

from harness import WireTest, eventually, settings
from harness.process import free_port

AUTOSCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: {name}, annotations: {{tidegate.dev/scaling-period: 500ms}}}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: chat-predictor}}
  minReplicas: {min}
  maxReplicas: {max}
  metrics: [{{type: Pods, pods: {{metric: {{name: {metric}}}, target: {{type: AverageValue, averageValue: "{target}"}}}}}}]
"""
POLICY = """
apiVersion: scheduling.alibabacloud.com/v1alpha1
kind: ResourcePolicy
metadata: {{name: {name}}}
spec:
  selector: {{app: {app}}}
  units: [{{nodeSelector: {{alibabacloud.com/nodepool-id: gpu-v100-edge}}}}]
"""
POD = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.4.1
          args: [--model, /m]
          resources: {{limits: {{nvidia.com/gpu: {gpus}}}}}
"""


class TideMistakes(WireTest):
    def setUp(self):
        super().setUp()
        self.home("-f", settings.ROOT / "examples/elastic/pools.yaml", "--engine", "simulate", "--gpus", "0",
                  "--ingress-port", free_port(), "--claim", f"llm-model={self.folder}")

    def tidegate(self, *words, given=None, status=0):
        done = subprocess.run([settings.BINARY, *words], env={**os.environ, "KUBECONFIG": f"{self.folder}/data/kubeconfig"},
                              input=given, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def apply(self, text, status=0):
        return self.tidegate("apply", "-f", "-", given=text, status=status)

    def serve(self):
        self.tidegate("serve", "kserve", "--name=chat", "--image=vllm:0.4.1", "--annotation=serving.kserve.io/autoscalerClass=external",
                      "--gpus=1", "--data=llm-model:/mnt/models", "vllm serve /mnt/models --port 8080")

    def told(self, what, *texts, seconds=20):
        """Waits until `describe` says all of it."""
        said = ""

        def all_said():
            nonlocal said
            said = " ".join(self.tidegate("describe", *what).split())
            return all(text in said for text in texts)

        try:
            eventually(all_said, "", seconds=seconds, every=0.3)
        except AssertionError:
            self.fail(f"describe {' '.join(what)} does not say {[t for t in texts if t not in said]}:\n{said}")

    def test_autoscalers(self):
        for wrong, why in (({"min": 4}, "less than minReplicas"), ({"target": 0}, "more than 0"), ({"target": -1}, "more than 0")):
            text = AUTOSCALER.format(**{"name": "bad", "min": 1, "max": 3, "metric": "m", "target": 5, **wrong})
            self.assertIn(why, self.apply(text, status=1))
        self.serve()
        self.apply(AUTOSCALER.format(name="first", min=1, max=3, metric="NO_SUCH_METRIC", target=5))
        self.told(("hpa", "first"), "ScalingActive", "FailedGetPodsMetric", "NO_SUCH_METRIC")
        self.apply(AUTOSCALER.format(name="second", min=1, max=3, metric="NO_SUCH_METRIC", target=5))
        for name in ("first", "second"):
            self.told(("hpa", name), "AmbiguousSelector", "controlled by multiple HPAs")
        self.assertEqual(len(json.loads(self.tidegate("get", "pods", "-o", "json"))["items"]), 1)

    def test_a_policy_that_matches_nothing_names_the_nearest_label(self):
        self.apply(POLICY.format(name="early", app="isvc.chat-predictor"))
        self.told(("resourcepolicy", "early"), "NoPodsYet", "has no labelled pods yet")
        self.assertNotIn("Warning", self.tidegate("describe", "resourcepolicy", "early"))
        self.tidegate("delete", "resourcepolicy", "early")
        self.serve()
        eventually(lambda: json.loads(self.tidegate("get", "pods", "-o", "json"))["items"], "the pod", every=0.2)
        # The slip of the tutorial's copies: the name of the service left out.
        self.apply(POLICY.format(name="slip", app="isvc.predictor"))
        self.told(("resourcepolicy", "slip"), "Warning", "NoPodsMatched",
                  "matches 0 pods: no pod in namespace default has app: isvc.predictor; nearest is app: isvc.chat-predictor")
        self.apply(POLICY.format(name="slip", app="isvc.chat-predictor"))
        self.told(("resourcepolicy", "slip"), "PodsMatched", "matches 1 pod")

    def test_two_policies_and_a_pod_that_no_machine_holds(self):
        for name in ("one", "two"):
            self.apply(POLICY.format(name=name, app="twice"))
        self.apply(POD.format(name="twice", gpus=1) + "---\n" + POD.format(name="large", gpus=2))
        for name, other in (("one", "two"), ("two", "one")):
            self.told(("resourcepolicy", name), "Conflicted", "MultiplePolicies", f"are also matched by ResourcePolicy {other}", "Warning")
        self.told(("pods", "-l", "app=twice"), "PodScheduled", "FailedScheduling", "ResourcePolic")
        self.told(("pods", "-l", "app=large"), "FailedScheduling", "Insufficient nvidia.com/gpu", "NotTriggerScaleUp")
        self.told(("nodepool", "gpu-v100-elastic"), "LargerThanTemplate", "requests 2 nvidia.com/gpu and a machine of pool",
                  "gpu-v100-elastic has 1")

    def test_numbers_that_cannot_be(self):
        pool = ("apiVersion: tidegate.dev/v1alpha1\nkind: NodePool\nmetadata: {{name: bad}}\n"
                "spec: {{provider: {provider}, min: {min}, max: {max}, capacity: {{cpu: 8, memory: 32Gi}}{more}}}\n")
        for change, why in (({"min": 4}, "spec.min is 4 and max is 3; use a min of at most max"),
                            ({"min": -1}, "spec.min is -1"), ({"max": -3}, "spec.max is -3"),
                            ({"provider": "cloud"}, 'spec.provider is "cloud"'),
                            ({"more": ", pricePerHour: -1"}, "spec.pricePerHour is -1"),
                            ({"provider": "externalgrpc"}, "spec.externalgrpc is missing")):
            self.assertIn(why, self.apply(pool.format(**{"provider": "local", "min": 0, "max": 3, "more": "", **change}), status=1))
        service = ("apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {{name: bad}}\n"
                   "spec: {{predictor: {{minReplicas: {min}, maxReplicas: {max}, scaleMetric: concurrency, scaleTarget: {target}, "
                   "containers: [{{name: kserve-container, image: vllm}}]}}}}\n")
        for change, why in (({"min": 4}, "minReplicas"), ({"target": 0}, "scaleTarget"), ({"target": -2}, "scaleTarget")):
            self.assertIn(why, self.apply(service.format(**{"min": 1, "max": 3, "target": 5, **change}), status=1))
        self.assertEqual([p["metadata"]["name"] for p in json.loads(self.tidegate("get", "nodepools", "-o", "json"))["items"]
                          if p["metadata"]["name"] == "bad"], [])

    def test_what_is_named_and_not_there(self):
        self.apply(AUTOSCALER.format(name="alone", min=1, max=3, metric="m", target=5))
        self.told(("hpa", "alone"), "AbleToScale", "FailedGetScale", "not found")
        self.tidegate("serve", "kserve", "--name=claimless", "--image=vllm:0.4.1", "--gpus=1", "--data=no-such-claim:/mnt/models",
                      "vllm serve /mnt/models --port 8080")
        self.told(("pods",), "FailedMount", 'persistentvolumeclaim "no-such-claim" not found')
        # A policy whose only unit has no node, and is required.
        self.apply(POLICY.format(name="nowhere", app="lost").replace("gpu-v100-edge", "no-such-pool") + "  strategy: required\n")
        self.apply(POD.format(name="lost", gpus=1))
        self.told(("pods", "-l", "app=lost"), "FailedScheduling", "were in no unit of ResourcePolicy nowhere", "NotTriggerScaleUp",
                  "in a later unit of the pod's ResourcePolicy or in none")

    def test_a_service_whose_name_is_too_long_for_its_pods(self):
        name = "a" * 50
        self.apply("apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: " + name + "}\n"
                   "spec: {predictor: {containers: [{name: kserve-container, image: vllm}]}}\n")
        self.told(("isvc", name), "PredictorReady", "InvalidPredictorSpec", "Warning", "spec.selector.matchLabels.app", "at most 63 letters")
