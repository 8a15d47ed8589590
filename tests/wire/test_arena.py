"""arena's commands, word for word as the tutorial types them, against the embedded home."""

import http.client
import json
import os
import pathlib
import subprocess

from harness import WireTest, eventually, settings
from harness.process import free_port

ARENA = "arena"  # beside the binary
TUTORIAL = [
    "serve", "kserve", "--name=qwen-chat", "--image=kube-ai-registry.cn-shanghai.cr.aliyuncs.com/kube-ai/vllm:0.4.1",
    "--scale-metric=DCGM_CUSTOM_PROCESS_SM_UTIL", "--scale-target=50", "--min-replicas=1", "--max-replicas=3", "--gpus=1",
    "--cpu=4", "--memory=12Gi", "--data=llm-model:/mnt/models/Qwen",
    "python3 -m vllm.entrypoints.openai.api_server --port 8080 --trust-remote-code --served-model-name qwen "
    "--model /mnt/models/Qwen --gpu-memory-utilization 0.95 --quantization gptq --max-model-len=6144",
]


class Arena(WireTest):
    def arena(self, *words, status=0, program=ARENA):
        done = subprocess.run([settings.BINARY.parent / "arena" if program == ARENA else program, *words], env={**os.environ, "KUBECONFIG": f"{self.folder}/data/kubeconfig"},
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def get(self, *words):
        return json.loads(self.arena("get", *words, "-o", "json", program=settings.BINARY).stdout)

    def start(self, *options):
        self.port = free_port()
        self.home("-f", settings.ROOT / "examples/elastic/pools.yaml", "-f",
                  settings.ROOT / "examples/elastic/resource-policy.yaml", "--engine", "simulate", "--gpus", "0",
                  "--ingress-port", self.port, *options)

    def test_a_service_is_made_looked_at_changed_and_removed(self):
        model = pathlib.Path(self.folder) / "Qwen"
        model.mkdir()
        self.start("--claim", f"llm-model={model}")
        self.assertEqual(self.arena("serve", "list").stdout, "NAME  TYPE  VERSION  DESIRED  AVAILABLE  ADDRESS  PORTS\n")
        made = self.arena(*TUTORIAL)
        self.assertEqual(made.stdout.splitlines(), ["inferenceservice.serving.kserve.io/qwen-chat created",
                                                    "horizontalpodautoscaler.autoscaling/qwen-chat-hpa created"])
        self.assertIn("The Job qwen-chat has been submitted successfully", made.stderr)
        self.assertIn("You can run `arena serve get qwen-chat --type kserve -n default` to check the job status", made.stderr)

        def job():
            return json.loads(self.arena("serve", "get", "qwen-chat", "-o", "json").stdout)

        ready = eventually(lambda: (j := job())["availableInstances"] == 1 and j, "the replica to be ready", seconds=30, every=0.2)
        self.assertEqual(ready["ip"], "http://qwen-chat-default.example.com")
        self.assertTrue(ready["instances"][0]["nodeName"].startswith("gpu-v100-edge"), ready)
        listed = self.arena("serve", "list", "-A").stdout.splitlines()
        self.assertEqual(listed[0].split(), ["NAMESPACE", "NAME", "TYPE", "VERSION", "DESIRED", "AVAILABLE", "ADDRESS", "PORTS", "GPU"])
        self.assertEqual([w for w in listed[1].split() if w != ready["version"]],
                         ["default", "qwen-chat", "KServe", "1", "1", "http://qwen-chat-default.example.com", ":80", "1"])
        told = self.arena("serve", "get", "qwen-chat", "-T", "kserve").stdout
        self.assertIn("Instances:\n  NAME", told)
        self.assertIn("Running", told)

        def ask():
            client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            client.request("POST", "/v1/chat/completions", json.dumps({
                "model": "qwen", "messages": [{"role": "user", "content": "Test"}], "max_tokens": 8}),
                {"Host": "qwen-chat-default.example.com", "Content-Type": "application/json"})
            answer = client.getresponse()
            answer.read()
            client.close()
            return answer.status == 200

        eventually(ask, "an answer through the Ingress", seconds=10, every=0.2)
        self.assertTrue(self.arena("serve", "logs", "qwen-chat", "-t", "5").stdout)

        again = self.arena(*TUTORIAL, status=1)
        self.assertIn("the job qwen-chat is already exist, please delete it first. use 'arena serve delete qwen-chat'", again.stderr)

        changed = self.arena("serve", "update", "kserve", "--name", "qwen-chat", "--max-replicas=2", "--env", "A=1", program=settings.BINARY)
        self.assertIn("has been updated successfully", changed.stderr)
        self.assertEqual(self.get("hpa", "qwen-chat-hpa")["spec"]["maxReplicas"], 2)
        container = self.get("isvc", "qwen-chat")["spec"]["predictor"]["containers"][0]
        self.assertEqual(container["env"], [{"name": "A", "value": "1"}])

        self.assertIn("has been deleted successfully", self.arena("serve", "delete", "qwen-chat").stderr)
        self.assertIn("The serving job 'qwen-chat' doest not exist,skip to delete it.", self.arena("serve", "delete", "qwen-chat").stderr)
        eventually(lambda: not self.get("hpa")["items"] and not self.get("pods")["items"], "the autoscaler and the pods to follow",
                   seconds=30, every=0.2)
        self.assertIn("Not found serving job qwen-chat, please check it with `arena serve list | grep qwen-chat`",
                      self.arena("serve", "get", "qwen-chat", status=1).stderr)

    def test_a_claim_that_is_not_there_is_said_where_people_look(self):
        self.start()
        self.arena(*TUTORIAL)
        wanted = 'persistentvolumeclaim "llm-model" not found; create it, or start with --claim llm-model=DIR'

        def described():
            text = self.arena("describe", "pods", program=settings.BINARY).stdout
            return wanted in text and text

        eventually(described, "the pod to say what it misses", seconds=20, every=0.3)

    def test_streams_outlast_a_service_that_is_deleted(self):
        """arena runs the command in a shell, which ends at once when it is told to stop; the engine does not."""
        self.start("--claim", f"llm-model={self.folder}")
        self.arena(*TUTORIAL)

        def address():
            pods = self.get("pods")["items"]
            ready = pods and any(c["type"] == "Ready" and c["status"] == "True" for c in pods[0]["status"].get("conditions", []))
            return ready and pods[0]["status"]["podIP"]

        client = http.client.HTTPConnection(eventually(address, "the pod", seconds=30, every=0.2), 8080, timeout=30)
        client.request("POST", "/v1/completions", json.dumps({"model": "qwen", "prompt": "x", "max_tokens": 150, "ignore_eos": True, "stream": True}),
                       {"Content-Type": "application/json"})
        answer = client.getresponse()
        self.assertTrue(answer.readline().startswith(b"data: "))
        self.arena("serve", "delete", "qwen-chat")
        self.assertTrue(answer.read().endswith(b"data: [DONE]\n\n"))
        client.close()
        eventually(lambda: not self.get("pods")["items"], "the pod to go", seconds=30, every=0.2)

    def test_mistakes_make_nothing(self):
        self.start()
        cases = {
            ("--name",): "flag needs an argument: --name",
            ("--nmae=x",): "unknown flag: --nmae",
            ("--image=x",): 'required flag(s) "name" not set',
            ("--name=x",): "failed to validate command args: model format and image can not be empty at the same time",
            ("--name=x", "--image=y", "--gpus=one"): 'strconv.ParseInt: parsing "one": invalid syntax',
            ("--name=x", "--image=y", "--data=model"): "dataset model has incorrect format, should like data_name:/data0",
            ("--name=x", "--image=y", "--scale-metric=m", "--scale-target=0", "--max-replicas=3"): "--scale-target must be set",
            ("--name=x", "--image=y", "--min-replicas=3", "--max-replicas=2"): "must not be less than --min-replicas",
        }
        for words, why in cases.items():
            with self.subTest(words=words):
                self.assertIn(why, self.arena("serve", "kserve", *words, status=2).stderr)
        # What only the server can tell.
        self.assertIn("metadata.name", self.arena("serve", "kserve", "--name=Not_A_Name", "--image=y", status=1).stderr)
        self.assertIn("minReplicas", self.arena("serve", "kserve", "--name=x", "--image=y", "--scale-metric=m", "--scale-target=5",
                                                "--min-replicas=0", "--max-replicas=2", status=1).stderr)
        self.assertEqual(self.get("isvc")["items"], [])
        self.assertIn('unknown command "tensorflow" for "arena serve"', self.arena("serve", "tensorflow", status=2).stderr)
        self.assertIn('unknown command "submit" for "arena"', self.arena("submit", "mpi", status=2).stderr)
