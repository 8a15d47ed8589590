"""The tide, in seconds: one InferenceService outgrows the data centre under load, the cloud's machines come, and go back."""

import http.client
import json
import os
import pathlib
import subprocess
import threading

from harness import WireTest, eventually, settings, slow
from harness.process import free_port

EXAMPLE = settings.ROOT / "examples" / "elastic"
HOST = "qwen-chat-default.example.com"
BODY = json.dumps({"model": "qwen", "messages": [{"role": "user", "content": "Test"}], "max_tokens": 48, "ignore_eos": True})
SHORTER = {"bootDelay: 2m": "bootDelay: 1s", "unneededTime: 10m": "unneededTime: 2s", "delayAfterAdd: 10m": "delayAfterAdd: 2s"}


class Load:
    """Clients that each keep one request under way until stopped, and count the answers by status."""

    def __init__(self, port, clients):
        self.port, self.answers = port, []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self):
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.stopping.is_set():
            client.request("POST", "/v1/chat/completions", BODY, {"Host": HOST, "Content-Type": "application/json"})
            answer = client.getresponse()
            answer.read()
            self.answers.append(answer.status)
        client.close()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class Tide(WireTest):
    def start(self, *examples):
        self.port = free_port()
        manifests = pathlib.Path(self.folder) / "manifests"
        manifests.mkdir()
        for example in examples:
            text = (EXAMPLE / example).read_text()
            for long, short in SHORTER.items():
                text = text.replace(long, short)
            if example == "qwen-chat.yaml":
                text += "  behavior: {scaleDown: {stabilizationWindowSeconds: 3}}\n"
            (manifests / example).write_text(text)
        self.up = self.home("-f", manifests, "--engine", "simulate", "--gpus", "0", "--ingress-port", self.port,
                            "--claim", f"llm-model={self.folder}")
        self.environment = {**os.environ, "KUBECONFIG": f"{self.folder}/data/kubeconfig"}

    def tidegate(self, *words, seconds=30):
        return subprocess.run([settings.BINARY, *words], env=self.environment, capture_output=True, text=True, timeout=seconds)

    def get(self, what):
        """The objects of a kind, through the API as users read them."""
        shown = self.tidegate("get", what, "-o", "json")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        return json.loads(shown.stdout)["items"]

    def places(self):
        """The pool of every ready pod that stays."""
        places = []
        for pod in self.get("pods"):
            conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
            if conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]:
                places.append(pod["spec"]["nodeName"].rsplit("-", 1)[0])
        return sorted(places)

    def test_the_cloud_comes_with_the_load_and_goes_first(self):
        self.start("pools.yaml", "resource-policy.yaml", "qwen-chat.yaml")
        eventually(lambda: self.places() == ["gpu-v100-edge"], "one pod in the data centre", seconds=60, every=0.3)
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        client.request("POST", "/v1/load_lora_adapter", "{}", {"Host": HOST, "Content-Type": "application/json"})
        self.assertEqual(client.getresponse().status, 404, "an engine's administration through an Ingress of /")
        client.close()
        load = self.own(Load(self.port, clients=5))
        eventually(lambda: self.places() == ["gpu-v100-edge", "gpu-v100-elastic", "gpu-v100-elastic"],
                   "three pods, two of them in the cloud", seconds=60, every=0.3)
        load.stop()
        self.assertEqual(set(load.answers), {200})
        eventually(lambda: self.places() == ["gpu-v100-edge"], "the pod in the data centre alone", seconds=60, every=0.3)
        eventually(lambda: not [n for n in self.get("nodes") if n["metadata"]["name"].startswith("gpu-v100-elastic")],
                   "the cloud's machines to be given back", seconds=60, every=0.3)

    @slow
    def test_the_walk_that_the_quickstart_plays(self):
        self.start("pools.yaml", "resource-policy.yaml")
        made = self.tidegate("serve", "kserve", "--name=qwen-chat", "--image=vllm:0.4.1", "--scale-metric=DCGM_CUSTOM_PROCESS_SM_UTIL",
                             "--scale-target=50", "--min-replicas=1", "--max-replicas=3", "--gpus=1", "--data=llm-model:/mnt/models/Qwen",
                             "vllm serve /mnt/models/Qwen --port 8080 --served-model-name qwen")
        self.assertEqual(made.returncode, 0, made.stderr)
        walk = self.tidegate("bench", "tide", "--gateway", f"127.0.0.1:{self.port}", seconds=150)
        self.assertEqual(walk.returncode, 0, walk.stdout + walk.stderr)
        rows = {line[:44].strip(): line[44:].split() for line in walk.stdout.splitlines() if line.startswith("  ")}
        # The HPA's algorithm takes two steps with one pod Pending each, the rule by demand one step with two.
        self.assertEqual(rows["pods Pending at the same time"], ["1", "2"], walk.stdout)
        self.assertEqual(rows["2 replicas wanted after, s"][1], "-", walk.stdout)
        self.assertEqual(rows["requests failed"], ["0", "0"], walk.stdout)
        self.assertIn("SuccessfulRescale: New size: 2; reason: pods metric DCGM_CUSTOM_PROCESS_SM_UTIL above target", walk.stdout)
        # What cannot be is said, with status 1.
        short = self.tidegate("bench", "tide", "--gateway", f"127.0.0.1:{self.port}", "--rule", "demand", "--patience", "1", "--quiet")
        self.assertEqual(short.returncode, 1, short.stdout + short.stderr)
