"""InferenceServices and LLMInferenceServices as users have them: a canary beside the old revision, a model by its runtime and URI, a
service that is stopped and started, hosts by a template."""

import http.client
import json
import os
import re
import subprocess
import urllib.request

from harness import WireTest, eventually, settings
from harness.process import free_port

CHAT = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {{name: chat, annotations: {{serving.kserve.io/autoscalerClass: none, serving.kserve.io/stop: "{stop}"}}}}
spec:
  predictor:
    minReplicas: 1
    {canary}
    containers:
      - name: kserve-container
        image: vllm/vllm-openai:v0.8.5
        command: [sh, -c, "vllm serve /m --port 8080 --served-model-name chat --seed {seed}"]
"""
BY_RUNTIME = """
apiVersion: serving.kserve.io/v1alpha1
kind: ServingRuntime
metadata: {name: ours}
spec:
  supportedModelFormats: [{name: llama, autoSelect: true}]
  containers:
    - name: kserve-container
      image: vllm/vllm-openai:v0.8.5
      command: [python3, -m, vllm.entrypoints.openai.api_server]
      args: [--port, "8080", --model, /mnt/models, --served-model-name, by-runtime]
---
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: by-runtime}
spec:
  predictor:
    model: {modelFormat: {name: llama}, storageUri: "hf://Demo/Llama", args: [--max-model-len=2048]}
"""
LLM = """
apiVersion: serving.kserve.io/v1alpha2
kind: LLMInferenceService
metadata: {name: qwen}
spec:
  model: {uri: "hf://Demo/Llama", name: Qwen/Demo}
  replicas: 2
  router: {route: {}, gateway: {}}
"""


class Serving(WireTest):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.home("--engine", "simulate", "--ingress-port", self.port, "--storage", f"hf://Demo={settings.ROOT}/examples",
                  "--domain-template", "{{.Name}}.{{.Namespace}}.{{.IngressDomain}}", "--ingress-domain", "models.test")

    def tidegate(self, *words, given=None):
        done = subprocess.run([settings.BINARY, *words], env={**os.environ, "KUBECONFIG": f"{self.folder}/data/kubeconfig"},
                              input=given, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def apply(self, text):
        self.tidegate("apply", "-f", "-", given=text)

    def get(self, *words):
        return json.loads(self.tidegate("get", *words, "-o", "json"))

    def ask(self, host, model):
        """The status; 0 where nobody listens, because no Ingress asks for it."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            client.request("POST", "/v1/chat/completions", json.dumps({
                "model": model, "messages": [{"role": "user", "content": "Test"}], "max_tokens": 1}),
                {"Host": host, "Content-Type": "application/json"})
        except ConnectionRefusedError:
            return 0
        answer = client.getresponse()
        answer.read()
        client.close()
        return answer.status

    def served(self, app):
        """Requests that the pods with this label have answered, as their engines count them."""
        count = 0
        for pod in self.get("pods", "-l", f"app={app}")["items"]:
            page = urllib.request.urlopen(f"http://{pod['status']['podIP']}:8080/metrics", timeout=10).read().decode()
            count += sum(float(value) for value in re.findall(r"^vllm:request_success_total\{.*\} (\S+)$", page, re.M))
        return count

    def status(self, kind, name, condition):
        conditions = self.get(kind, name).get("status", {}).get("conditions", [])
        return next((c["status"] for c in conditions if c["type"] == condition), "")

    def test_a_canary_takes_its_share_and_is_rolled_out(self):
        self.apply(CHAT.format(stop="false", canary="", seed=1))
        eventually(lambda: self.status("isvc", "chat", "Ready") == "True", "the service to be ready", seconds=30, every=0.2)
        host = "chat.default.models.test"
        eventually(lambda: self.ask(host, "chat") == 200, "an answer", seconds=10, every=0.2)
        self.apply(CHAT.format(stop="false", canary="canaryTrafficPercent: 30", seed=2))
        canary = "isvc.chat-predictor-canary"

        def both():
            self.assertEqual(self.ask(host, "chat"), 200)
            pods = self.get("pods", "-l", f"app={canary}")["items"]
            return pods and any(c["type"] == "Ready" and c["status"] == "True" for c in pods[0].get("status", {}).get("conditions", []))

        eventually(both, "the canary to be ready", seconds=30, every=0.2)
        eventually(lambda: self.ask(host, "chat") == 200 and self.served(canary) > 0, "the canary to get its share", seconds=20)
        old, new = self.served("isvc.chat-predictor"), self.served(canary)
        for _ in range(200):
            self.assertEqual(self.ask(host, "chat"), 200)
        share = (self.served(canary) - new) / (self.served("isvc.chat-predictor") - old + self.served(canary) - new)
        self.assertTrue(0.15 < share < 0.45, share)  # 0.30, and four standard deviations
        traffic = self.get("isvc", "chat")["status"]["components"]["predictor"]["traffic"]
        self.assertEqual([t["percent"] for t in traffic], [30, 70])
        told = self.tidegate("serve", "get", "chat")
        self.assertIn("LatestPrecent:      30", told)
        self.assertIn("PrevPrecent:        70", told)

        self.tidegate("serve", "update", "kserve", "--name=chat", "--canary-traffic-percent=100")

        def rolled_out():
            self.assertEqual(self.ask(host, "chat"), 200)
            pods = self.get("pods")["items"]
            return len(pods) == 1 and "--seed 2" in pods[0]["spec"]["containers"][0]["command"][2]

        eventually(rolled_out, "the new revision alone", seconds=30, every=0.1)

        self.apply(CHAT.format(stop="true", canary="canaryTrafficPercent: 100", seed=2))
        eventually(lambda: not self.get("pods")["items"], "the stopped service's pods to go", seconds=20, every=0.2)
        self.assertEqual(self.status("isvc", "chat", "Stopped"), "True")
        self.assertEqual(self.status("isvc", "chat", "Ready"), "False")
        self.apply(CHAT.format(stop="false", canary="canaryTrafficPercent: 100", seed=2))
        eventually(lambda: self.ask(host, "chat") == 200, "the service to be back", seconds=20, every=0.2)

    def test_models_by_runtime_and_by_uri(self):
        self.apply(BY_RUNTIME + "---" + LLM)
        eventually(lambda: self.ask("by-runtime.default.models.test", "by-runtime") == 200, "the runtime's model", seconds=30, every=0.2)
        eventually(lambda: self.ask("qwen.default.models.test", "Qwen/Demo") == 200, "the language model", seconds=30, every=0.2)
        eventually(lambda: self.status("llmisvc", "qwen", "Ready") == "True", "it to be ready", seconds=20, every=0.2)
        self.assertEqual(len(self.get("pods", "-l", "app=isvc.qwen-kserve")["items"]), 2)
        shown = self.tidegate("get", "llmisvc").splitlines()
        self.assertEqual(shown[0].split(), ["NAME", "URL", "READY", "REASON", "AGE"])
        self.assertEqual(shown[1].split()[:3], ["qwen", "http://qwen.default.models.test", "True"])
        self.tidegate("delete", "llmisvc", "qwen")
        eventually(lambda: not self.get("pods", "-l", "app=isvc.qwen-kserve")["items"], "its pods to follow", seconds=20, every=0.2)
        # What nothing here can fetch is said, with what to do.
        self.apply(BY_RUNTIME.split("---")[1].replace("name: by-runtime", "name: far").replace("hf://Demo", "s3://bucket"))
        eventually(lambda: "nothing here downloads models" in self.tidegate("describe", "isvc", "far"), "the reason", seconds=10, every=0.2)
