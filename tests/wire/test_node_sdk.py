"""OpenAI's Node SDK against the engine, and through the gateway: completions, streams, usage, errors, JSON, and a client that leaves."""

import re
import shutil
import subprocess

from harness import Connection, WireTest, manifests, needs, settings
from harness.process import Process, eventually, free_port

DEMO = settings.ROOT / "examples/models/demo-llama"
NODE = settings.ROOT / "build" / "node"
PROGRAM = settings.ROOT / "tests/wire/harness/openai_sdk.cjs"
WHY = "no openai package for Node under build/node; with Node and npm there, tools/install test gets it"


class Address:
    def __init__(self, port):
        self.address = f"127.0.0.1:{port}"


class NodeSdk(WireTest):
    def serve(self, *flags):
        port = free_port()
        process = self.own(Process([settings.BINARY, "engine", "--served-model-name", "demo", "--host", "127.0.0.1", "--port", port,
                                    *flags], self.folder, f"engine-{port}"))

        def ready():
            self.assertTrue(process.alive(), process.log())
            try:
                return self.get(port, "/health").status == 200
            except OSError:
                return False

        eventually(ready, "the engine answers")
        return port

    def get(self, port, path):
        with Connection("127.0.0.1", port) as client:
            return client.ask(f"GET {path} HTTP/1.1\r\nHost: e\r\n\r\n".encode())

    def through_gateway(self, port):
        objects = manifests.canary([Address(port)], None)
        objects["model.yaml"] = manifests.model({"demo": 1}, name="demo")
        objects["route.yaml"] = manifests.llm_route(host='"*"')
        return self.gateway(objects).port

    def play(self, port, *scenarios):
        node = shutil.which("node") or shutil.which("nodejs")
        for scenario in scenarios:
            done = subprocess.run([node, PROGRAM, NODE, f"http://127.0.0.1:{port}/v1", "demo", scenario], capture_output=True,
                                  text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout.strip()), (0, "held"), f"{scenario}: {done.stderr}")

    def running(self, port):
        page = self.get(port, "/metrics").body.decode()
        return float(re.search(r"^vllm:num_requests_running\{[^}]*\} (\S+)", page, re.M).group(1))

    def generated(self, port):
        page = self.get(port, "/metrics").body.decode()
        return float(re.search(r"^vllm:generation_tokens_total\{[^}]*\} (\S+)", page, re.M).group(1))

    @needs(NODE / "node_modules" / "openai", WHY)
    def test_against_the_engine(self):
        self.play(self.serve("--model", DEMO), "completes", "streams", "errors", "json", "tools")

    @needs(NODE / "node_modules" / "openai", WHY)
    def test_through_the_gateway(self):
        self.play(self.through_gateway(self.serve("--model", DEMO)), "completes", "streams", "errors", "json", "tools")

    @needs(NODE / "node_modules" / "openai", WHY)
    def test_a_client_that_leaves_frees_the_slot(self):
        engine = self.serve("--simulate=instant", "--model", "demo", "--time-to-first-token", "20", "--inter-token-latency", "20")
        for door in (engine, self.through_gateway(engine)):
            before = self.generated(engine)
            self.play(door, "leaves")
            eventually(lambda: self.running(engine) == 0, "the slot is free")
            self.assertLess(self.generated(engine) - before, 200, "it was not generated to its end")
