"""NodePool provider externalgrpc against a real gRPC server: machines come and go; one that is slow, refuses, lies or is away harms nobody."""

import json
import os
import pathlib
import ssl
import subprocess
import time
import urllib.request

from harness import WireTest, eventually, needs, settings
from harness.certificates import Authority
from harness.process import Process, free_port

GRPC = next(settings.VENV_PYTHON.parent.parent.glob("lib/python*/site-packages/grpc"), pathlib.Path("/no/grpcio"))
NO_GRPC = "no grpcio under build/venv; `tools/install test` gets it"
SERVER = settings.ROOT / "tests/wire/harness/cloud_provider.py"
POOL = """
apiVersion: tidegate.dev/v1alpha1
kind: NodePool
metadata: {{name: gpu-cloud}}
spec:
  provider: externalgrpc
  max: 5
  externalgrpc: {{address: "127.0.0.1:{port}", nodeGroup: {group}, refresh: 300ms, timeout: {timeout}{tls}}}
  scaleUp: {{provisionTimeout: 10m, backoff: {backoff}}}
  scaleDown: {{unneededTime: 1s, unreadyTime: 10m, delayAfterAdd: 1s, drainTimeout: 10m}}
"""
DEAR = """
apiVersion: tidegate.dev/v1alpha1
kind: NodePool
metadata: {name: dear}
spec:
  provider: local
  max: 3
  pricePerHour: 99
  capacity: {cpu: "8", memory: 32Gi, nvidia.com/gpu: "1"}
"""
PODS = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      nodeSelector: {selector}
      containers: [{{name: engine, image: vllm, resources: {{limits: {{nvidia.com/gpu: 1}}}}}}]
"""


class External(WireTest):
    def setUp(self):
        super().setUp()
        self.cloud = pathlib.Path(self.folder) / "cloud"
        self.cloud.mkdir()
        self.port = free_port()
        self.tls = ()
        data = pathlib.Path(self.folder) / "data"
        kubeconfig = data / "kubeconfig"
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        self.own(Process([settings.BINARY, "apiserver", "--data", data, "--api-port", "0"], self.folder, "api"))
        eventually(kubeconfig.exists, "the kubeconfig")
        lines = [line.strip() for line in kubeconfig.read_text().splitlines()]
        self.api = next(line.split(": ")[1] for line in lines if line.startswith("server:"))
        self.token = next(line.split(": ")[1] for line in lines if line.startswith("token:"))
        self.context = ssl.create_default_context(cafile=data / "pki" / "ca.crt")

    def start_controller(self):
        self.controller = self.own(Process([settings.BINARY, "controller", "--kubeconfig", self.environment["KUBECONFIG"],
                                            "--controllers", "workload,placement,nodepool", "--scheduler-name", "default-scheduler"],
                                           self.folder, "controller"))

    def start_service(self):
        (self.cloud / "serving").unlink(missing_ok=True)
        service = self.own(Process([settings.VENV_PYTHON, SERVER, self.cloud, f"127.0.0.1:{self.port}", *self.tls], self.folder, "service"))
        eventually(lambda: (self.cloud / "serving").exists() or not service.alive(), "the service", seconds=60)
        self.assertTrue(service.alive(), service.log())
        return service

    def order(self, **orders):
        draft = self.cloud / "orders.new"
        draft.write_text(json.dumps(orders))
        draft.rename(self.cloud / "orders.json")

    def calls(self, name):
        log = self.cloud / "calls"
        return [line for line in log.read_text().splitlines() if line.startswith(name + " ")] if log.exists() else []

    def hangs(self):
        """No call for longer than it takes until the next pass begins: one is under way."""
        log = self.cloud / "calls"
        before = log.stat().st_size
        time.sleep(1)
        return log.stat().st_size == before

    def memory(self):
        memory = self.cloud / "cloud.json"
        return json.loads(memory.read_text()) if memory.exists() else {"target": 0, "instances": []}

    def tidegate(self, *words, given=None):
        done = subprocess.run([settings.BINARY, *words], env=self.environment, input=given, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def apply(self, text):
        self.tidegate("apply", "-f", "-", given=text)

    def pool(self, group="gpu-group", timeout="5s", backoff="10m", tls=""):
        self.apply(POOL.format(port=self.port, group=group, timeout=timeout, backoff=backoff, tls=tls))

    def pods(self, name, replicas, selector="{}"):
        self.apply(PODS.format(name=name, replicas=replicas, selector=selector))

    def get(self, what):
        return json.loads(self.tidegate("get", what, "-o", "json"))["items"]

    def nodes(self):
        return {node["metadata"]["name"]: node for node in self.get("nodes")}

    def condition(self, kind, pool="gpu-cloud"):
        status = {p["metadata"]["name"]: p for p in self.get("nodepools")}[pool].get("status", {})
        return {c["type"]: c for c in status.get("conditions", [])}.get(kind, {})

    def ask(self, method, path, body=None):
        asked = urllib.request.Request(self.api + path, data=json.dumps(body).encode() if body else None, method=method,
                                       headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(asked, context=self.context, timeout=30) as answer:
            return json.loads(answer.read())

    def kubelets(self):
        """What the machines' kubelets do: their Nodes join, and pods that are told to go end. No more of it is played."""
        there = self.nodes()
        for instance in self.memory()["instances"]:
            name = "host-" + instance["id"].rsplit("/", 1)[1]
            if name not in there:
                has = {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1", "pods": "110"}
                self.ask("POST", "/api/v1/nodes", {
                    "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "cloud/gpu": "v100"}},
                    "spec": {"providerID": instance["id"]},
                    "status": {"capacity": has, "allocatable": has, "conditions": [{"type": "Ready", "status": "True"}]}})
        for pod in self.get("pods"):
            if "deletionTimestamp" in pod["metadata"]:
                self.ask("DELETE", f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}", {"gracePeriodSeconds": 0})

    def living(self, check, what, seconds=60):
        def both():
            self.kubelets()
            return check()
        eventually(both, what, seconds=seconds, every=0.2)

    def places(self):
        return sorted(pod["spec"].get("nodeName", "") for pod in self.get("pods"))

    @needs(GRPC, NO_GRPC)
    def test_machines_come_for_waiting_pods_and_go_at_the_ebb(self):
        authority = Authority(self.folder)
        (cert, key), (own_cert, own_key) = authority.issue("127.0.0.1"), authority.issue("tidegate")
        self.tls = (key, cert, authority.certificate)
        self.start_service()
        self.start_controller()
        # No capacity and no price: both are the service's to tell.
        self.pool(tls=f", key: {own_key}, cert: {own_cert}, cacert: {authority.certificate}")
        self.pods("chat", 2, "{cloud/gpu: v100, alibabacloud.com/nodepool-id: gpu-cloud}")
        eventually(lambda: self.memory()["target"] == 2, "two machines to be asked for", seconds=60, every=0.1)
        self.living(lambda: self.places() == ["host-1", "host-2"], "both pods on the machines")
        self.assertEqual(self.memory()["next"], 3, "no more than were needed")
        self.assertEqual(self.nodes()["host-1"]["metadata"]["labels"]["alibabacloud.com/nodepool-id"], "gpu-cloud")
        pool = self.get("nodepools")[0]
        self.assertEqual((pool["status"]["ready"], pool["status"]["costPerHour"]), (2, "5"), pool["status"])
        self.assertEqual(self.condition("ProviderReady")["status"], "True")
        # The group's own maximum is 3, whatever the pool says.
        self.pods("chat", 5, "{cloud/gpu: v100, alibabacloud.com/nodepool-id: gpu-cloud}")
        eventually(lambda: self.memory()["target"] == 3, "the third machine", seconds=60, every=0.1)
        eventually(lambda: self.condition("CanGrow").get("reason") == "MaxSizeReached", "the pool at its provider's maximum", every=0.1)

        self.pods("chat", 0)
        self.living(lambda: self.memory() == {"target": 0, "next": 4, "instances": []}, "the machines to be given back", seconds=90)
        eventually(lambda: not self.nodes(), "the Nodes to go", every=0.2)
        self.assertEqual(len(self.calls("NodeGroupDeleteNodes")), 3)
        self.assertEqual(self.controller.stop(), 0)
        eventually(lambda: self.calls("Cleanup"), "Cleanup at the end")

    @needs(GRPC, NO_GRPC)
    def test_refusals_lies_and_absence(self):
        self.order(refuse="NodeGroupIncreaseSize")
        service = self.start_service()
        self.start_controller()
        self.pool()
        self.apply(DEAR)
        self.pods("chat", 1)
        # Refused: said as it was said there, the pool pauses, and the next one is asked.
        eventually(lambda: "dear-1" in self.nodes(), "a machine of the next pool", seconds=60, every=0.2)
        self.assertEqual(self.condition("CanGrow")["reason"], "Backoff")
        self.assertIn("NodeGroupIncreaseSize: out of stock: \u7f3a\u8d27 (RESOURCE_EXHAUSTED)", self.condition("CanGrow")["message"])
        self.assertIn("FailedToScaleUpGroup", self.tidegate("describe", "nodepool", "gpu-cloud"))
        self.assertEqual(self.condition("ProviderReady")["status"], "True")

        # Lies are not believed, and nothing is decided on them.
        self.order(target=-5)
        eventually(lambda: "target size of -5" in self.condition("ProviderReady").get("message", ""), "the lie to be named", every=0.1)
        self.assertEqual(self.condition("ProviderReady")["status"], "False")
        self.order(target=2_000_000_000)
        eventually(lambda: "target size of 2000000000" in self.condition("ProviderReady")["message"], "the other lie", every=0.1)
        self.assertFalse(self.calls("NodeGroupDecreaseTargetSize"))
        asked = len(self.calls("NodeGroupIncreaseSize"))

        # Away, and back: it is found again, without a restart of ours.
        self.order()
        eventually(lambda: self.condition("ProviderReady")["status"] == "True", "the truth", every=0.1)
        service.signal(9)
        eventually(lambda: "(UNAVAILABLE)" in self.condition("ProviderReady")["message"], "its absence", seconds=60, every=0.1)
        self.assertIn("ProviderFailed", self.tidegate("describe", "nodepool", "gpu-cloud"))
        self.pods("second", 1)
        eventually(lambda: "dear-2" in self.nodes(), "the next pool, meanwhile", seconds=60, every=0.2)
        self.start_service()
        eventually(lambda: self.condition("ProviderReady")["status"] == "True", "its return", seconds=60, every=0.1)
        self.assertEqual(len(self.calls("NodeGroupIncreaseSize")), asked)
        self.assertTrue(self.controller.alive(), self.controller.log())

    @needs(GRPC, NO_GRPC)
    def test_what_comes_late_comes_and_what_dies_on_its_way_is_replaced(self):
        service = self.start_service()
        self.start_controller()
        self.pool(backoff="1s")
        self.order(broken="cloud://1")
        self.pods("chat", 1)
        # The first instance has an error: it is given back, and after the pause another one is asked for.
        eventually(lambda: [i["id"] for i in self.memory()["instances"]] == ["cloud://2"], "the second instance alone", seconds=60, every=0.1)
        self.assertIn("BROKEN: the host has died", self.tidegate("describe", "nodepool", "gpu-cloud"))
        service.signal(9)
        eventually(lambda: self.condition("ProviderReady").get("status") == "False", "the service to be missed", seconds=60, every=0.1)
        # The Node joins while nobody can be asked; the pod runs there.
        self.living(lambda: self.places() == ["host-2"], "the pod on the machine")
        # The ebb waits for the service, and happens when it is back.
        self.pods("chat", 0)
        self.living(lambda: "waits for its provider" in self.tidegate("get", "nodepools", "-o", "json"), "the machine to wait for its provider")
        self.assertIn("host-2", self.nodes())
        self.start_service()
        eventually(lambda: self.memory()["target"] == 0 and not self.nodes(), "the machine to be given back", seconds=60, every=0.2)

    @needs(GRPC, NO_GRPC)
    def test_a_slow_service_keeps_no_other_pool_waiting(self):
        self.start_service()
        self.start_controller()
        self.pool(timeout="2m")
        self.apply(DEAR)
        eventually(lambda: self.condition("ProviderReady").get("status") == "True", "the service to be heard", seconds=60, every=0.1)
        self.order(delay=100)
        eventually(self.hangs, "a call that hangs")
        self.pods("chat", 1, "{alibabacloud.com/nodepool-id: dear}")
        eventually(lambda: "dear-1" in self.nodes(), "a machine of the other pool", seconds=60, every=0.2)
        self.assertEqual(self.controller.stop(), 0, "it does not wait for the call either")

    @needs(GRPC, NO_GRPC)
    def test_time_is_bounded_and_mistakes_are_named(self):
        self.order(delay=100)
        self.start_service()
        self.start_controller()
        self.pool(timeout="300ms")
        self.apply(DEAR)
        self.pods("chat", 1)
        eventually(lambda: "Refresh: Deadline Exceeded (DEADLINE_EXCEEDED)" in self.condition("ProviderReady").get("message", ""),
                   "the limit of time", seconds=60, every=0.1)
        eventually(lambda: "dear-1" in self.nodes(), "the next pool", seconds=60, every=0.2)
        self.order(no_template=True)
        eventually(lambda: "tells no template of a Node; say in spec.capacity" in self.condition("ProviderReady")["message"],
                   "the missing template", seconds=60, every=0.1)
        self.pool(group="typo")
        eventually(lambda: "the service has no node group typo; it has other, gpu-group" in self.condition("ProviderReady")["message"],
                   "the typing error", seconds=60, every=0.1)
        self.pool(tls=", cacert: /no/such.pem")
        eventually(lambda: "cannot read /no/such.pem" in self.condition("ProviderReady")["message"], "the missing file", seconds=60, every=0.1)
        refused = subprocess.run([settings.BINARY, "apply", "-f", "-"], env=self.environment, capture_output=True, text=True, timeout=30,
                                 input=POOL.format(port=1, group="g", timeout="0s", backoff="1s", tls=", key: /k"))
        self.assertEqual(refused.returncode, 1)
        for word in ("cert and key come together", "timeout is out of range"):
            self.assertIn(word, refused.stdout + refused.stderr)
