"""OpenAI's SDKs for Python and Node against the engine, and through the gateway: completions, streams, usage, errors, JSON, tools, and
a client that leaves."""

import re
import shutil
import subprocess

from harness import Connection, WireTest, manifests, needs, settings
from harness.process import eventually

NODE = settings.ROOT / "build" / "node"
HARNESS = settings.ROOT / "tests/wire/harness"
SCENARIOS = ("completes", "streams", "errors", "json", "tools")

needs_python = needs(settings.VENV_PYTHON, "no openai package under build/venv; tools/install test gets it")
needs_node = needs(NODE / "node_modules" / "openai",
                   "no openai package for Node under build/node; with Node and npm there, tools/install test gets it")


def python_sdk(url, scenario):
    return [settings.VENV_PYTHON, HARNESS / "openai_sdk.py", url, "demo", scenario]


def node_sdk(url, scenario):
    return [shutil.which("node") or "nodejs", HARNESS / "openai_sdk.cjs", NODE, url, "demo", scenario]


class Address:
    def __init__(self, port):
        self.address = f"127.0.0.1:{port}"


class Sdks(WireTest):
    def get(self, port, path):
        with Connection("127.0.0.1", port) as client:
            return client.ask(f"GET {path} HTTP/1.1\r\nHost: e\r\n\r\n".encode())

    def through_gateway(self, port):
        objects = manifests.canary([Address(port)], None)
        objects["model.yaml"] = manifests.model({"demo": 1}, name="demo")
        objects["route.yaml"] = manifests.llm_route(host='"*"')
        return self.gateway(objects).port

    def play(self, sdk, port, *scenarios):
        for scenario in scenarios:
            done = subprocess.run(sdk(f"http://127.0.0.1:{port}/v1", scenario), capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout.strip()), (0, "held"), f"{scenario}: {done.stderr}")

    def metric(self, port, name):
        page = self.get(port, "/metrics").body.decode()
        return float(re.search(rf"^{name}\{{[^}}]*\}} (\S+)", page, re.M).group(1))

    def leave(self, sdk):
        engine = self.real_engine("--simulate=instant", "--time-to-first-token", "20", "--inter-token-latency", "20", model="demo").port
        for door in (engine, self.through_gateway(engine)):
            before = self.metric(engine, "vllm:generation_tokens_total")
            self.play(sdk, door, "leaves")
            eventually(lambda: self.metric(engine, "vllm:num_requests_running") == 0, "the slot is free")
            self.assertLess(self.metric(engine, "vllm:generation_tokens_total") - before, 200, "it was not generated to its end")

    @needs_python
    def test_python_against_the_engine(self):
        self.play(python_sdk, self.real_engine().port, *SCENARIOS)

    @needs_python
    def test_python_through_the_gateway(self):
        self.play(python_sdk, self.through_gateway(self.real_engine().port), *SCENARIOS)

    @needs_python
    def test_a_python_client_that_leaves_frees_the_slot(self):
        self.leave(python_sdk)

    @needs_node
    def test_node_against_the_engine(self):
        self.play(node_sdk, self.real_engine().port, *SCENARIOS)

    @needs_node
    def test_node_through_the_gateway(self):
        self.play(node_sdk, self.through_gateway(self.real_engine().port), *SCENARIOS)

    @needs_node
    def test_a_node_client_that_leaves_frees_the_slot(self):
        self.leave(node_sdk)
