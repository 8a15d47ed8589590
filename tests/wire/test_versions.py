"""Kinds that are served in several versions: each is read, written and shown in the version that is asked for."""

import json
import shutil
import unittest

from harness.api import Api

SCALER_V1 = """
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 4
  targetCPUUtilizationPercentage: 60
"""

POOL_OLD = """
apiVersion: inference.networking.x-k8s.io/v1alpha2
kind: InferencePool
metadata: {name: pool}
spec: {selector: {app: web}, targetPortNumber: 8000, extensionRef: {name: epp}}
"""

POOL = """
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: pool}
spec:
  selector: {matchLabels: {app: web}}
  targetPorts: [{number: 8000}]
  endpointPickerRef: {name: epp, port: {number: 9002}}
"""


def metric(scaler):
    return scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"]


@unittest.skipUnless(shutil.which("kubectl"), "no kubectl on PATH; ./test.sh --peers gets one")
class Versions(Api):
    def read(self, *args):
        return json.loads(self.kubectl("get", *args, "-o", "json"))

    def test_a_scaler_of_v1_is_one_of_v2(self):
        self.assertIn("created", self.kubectl("apply", "-f", "-", stdin=SCALER_V1))
        old = self.read("horizontalpodautoscalers.v1.autoscaling", "web")
        self.assertEqual((old["apiVersion"], old["spec"]["targetCPUUtilizationPercentage"]), ("autoscaling/v1", 60))
        self.assertNotIn("metrics", old["spec"])
        new = self.read("horizontalpodautoscalers.v2.autoscaling", "web")
        self.assertEqual((new["apiVersion"], metric(new)), ("autoscaling/v2", 60))
        self.assertNotIn("targetCPUUtilizationPercentage", new["spec"])
        self.assertIn("configured", self.kubectl("apply", "-f", "-", stdin=SCALER_V1.replace("60", "70")))
        self.assertEqual(metric(self.read("hpa", "web")), 70)
        self.assertIn("unchanged", self.kubectl("apply", "-f", "-", stdin=SCALER_V1.replace("60", "70")))

    def test_each_is_patched_in_the_others_form(self):
        self.kubectl("apply", "-f", "-", stdin=SCALER_V1)
        self.kubectl("patch", "horizontalpodautoscalers.v1.autoscaling", "web", "--type=merge", "-p",
                     '{"spec":{"targetCPUUtilizationPercentage":80}}')
        self.assertEqual(metric(self.read("horizontalpodautoscalers.v2.autoscaling", "web")), 80)
        self.kubectl("patch", "horizontalpodautoscalers.v2.autoscaling", "web", "--type=json", "-p", json.dumps([
            {"op": "replace", "path": "/spec/metrics/0/resource/target/averageUtilization", "value": 30}]))
        self.assertEqual(self.read("horizontalpodautoscalers.v1.autoscaling", "web")["spec"]["targetCPUUtilizationPercentage"], 30)

    def test_tidegate_apply_sends_a_document_as_it_is_written(self):
        done = self.tidegate("apply", "-f", "-", stdin=SCALER_V1)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(metric(self.read("hpa", "web")), 60)
        done = self.tidegate("apply", "-f", "-", stdin=SCALER_V1.replace("60", "65"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(metric(self.read("hpa", "web")), 65)

    def test_pools_of_both_groups_stand_beside_each_other(self):
        for text in (POOL_OLD, POOL):
            for way in ([], ["--server-side"]):
                self.kubectl("apply", *way, "-f", "-", stdin=text)
            self.assertIn("unchanged", self.kubectl("apply", "-f", "-", stdin=text))
        self.assertEqual(self.read("inferencepools.v1alpha2.inference.networking.x-k8s.io", "pool")["spec"]["targetPortNumber"], 8000)
        self.assertEqual(self.read("inferencepools.v1.inference.networking.k8s.io", "pool")["spec"]["targetPorts"], [{"number": 8000}])


if __name__ == "__main__":
    unittest.main()
