"""HorizontalPodAutoscalers of `tidegate up`, over simulated engines under load: by SM utilisation, and by demand."""

import pathlib
import threading

from harness import Connection, WireTest, eventually, post_bytes
from harness.client import Closed
from harness.process import free_port

OBJECTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: engine}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: engine}}}}
  template:
    metadata:
      labels: {{app: engine}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: engine
          image: vllm/vllm-openai:v0.8.5
          command: ["python3", "-m", "vllm.entrypoints.openai.api_server"]
          args: ["--model", "/model/llama2", "--port", "8000"]
          ports: [{{name: http, containerPort: 8000}}]
          readinessProbe:
            httpGet: {{path: /health, port: http}}
            periodSeconds: 1
          resources: {{limits: {{nvidia.com/gpu: 1}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: engine}}
spec:
  selector: {{app: engine}}
  ports: [{{name: http, port: 8000, targetPort: 8000}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gateway}}
spec:
  gatewayClassName: tidegate
  listeners: [{{name: http, protocol: HTTP, port: {port}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: engine}}
spec:
  parentRefs: [{{name: gateway}}]
  rules: [{{backendRefs: [{{name: engine, port: 8000}}]}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: engine
  annotations: {annotations}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: engine}}
  minReplicas: 1
  maxReplicas: 3
  metrics:
    - type: Pods
      pods:
        metric: {{name: DCGM_CUSTOM_PROCESS_SM_UTIL}}
        target: {{type: AverageValue, averageValue: "50"}}
  behavior:
    scaleDown: {{stabilizationWindowSeconds: 3}}
"""


class Load:
    """Clients that each keep one request under way until stopped."""

    def __init__(self, port, clients):
        self.port = port
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self):
        body = '{"model":"/model/llama2","prompt":"x","max_tokens":100,"ignore_eos":true}'
        while not self.stopping.is_set():
            try:
                with Connection("127.0.0.1", self.port) as client:
                    while not self.stopping.is_set():
                        client.ask(post_bytes("/v1/completions", body))
            except (Closed, OSError):
                self.stopping.wait(0.2)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class Autoscaling(WireTest):
    def start(self, annotations):
        self.port = free_port()
        manifests = pathlib.Path(self.folder) / "manifests"
        manifests.mkdir()
        (manifests / "objects.yaml").write_text(OBJECTS.format(port=self.port, annotations=annotations))
        self.up = self.home("-f", manifests, "--engine", "simulate", "--gpus", "8")

    def engines(self):
        """How many engines run: children of `up`, or of a shell of theirs, that serve."""
        count, queue = 0, [self.up.pid]
        for pid in queue:
            try:
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    queue += [int(child) for child in (task / "children").read_text().split()]
                count += b"--model" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                pass
        return count

    def rise_and_fall(self, load):
        """Waits for three engines, then for one again without load. What `up` said until three were wanted."""
        eventually(lambda: self.engines() == 3, "three engines", seconds=60)
        load.stop()
        eventually(lambda: self.engines() == 1, "one engine again", seconds=60)
        rise, three, _ = self.up.log().partition("/3")
        self.assertTrue(three, rise)
        return rise

    def test_utilisation_raises_and_lowers(self):
        self.start('{tidegate.dev/scaling-period: "1s"}')
        self.rise_and_fall(self.own(Load(self.port, clients=4)))

    def test_demand_goes_to_three_at_once(self):
        self.start('{tidegate.dev/scaling-period: "1s", tidegate.dev/scaling-rule: demand, '
                   'tidegate.dev/replica-capacity: "2"}')
        rise = self.rise_and_fall(self.own(Load(self.port, clients=5)))
        self.assertNotIn("pods ready: 1/2", rise)
