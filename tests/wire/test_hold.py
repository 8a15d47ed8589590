"""Scale from zero: requests for a pool without an endpoint wait in the gateway, and all of them are answered."""

import json
import os
import pathlib
import re
import resource
import sys
import threading
import time

from harness import Connection, WireTest, eventually, json_body, manifests, post_bytes, settings
from harness.process import free_port

HELD = int(os.environ.get("TIDEGATE_HELD", "300"))  # TIDEGATE_HELD=10000: as many, held to what is promised

TARGET = {"sql-lora": 1}
HOLD = {"tidegate.dev/hold": "true"}


def ask(gateway, **fields):
    """A client that has sent its request and waits."""
    client = gateway.connect()
    client.send(post_bytes("/v1/completions", json_body(model="lora-request", prompt="x", max_tokens=3, **fields)))
    return client


class Hold(WireTest):
    def start(self, *options, annotations=None):
        self.one = self.engine()
        self.door = self.gateway(manifests.canary([], TARGET, annotations=annotations or HOLD), extra=options)

    def held(self):
        return self.door.metric("tidegate_held_requests", pool=f"default/{manifests.POOL}")

    def wake(self):
        self.door.write("pool.yaml", manifests.pool([self.one], annotations=HOLD))

    def test_all_are_answered_once_an_endpoint_comes(self):
        self.start()
        clients = [ask(self.door) for _ in range(100)]
        eventually(lambda: self.held() == 100, "100 held requests")
        self.wake()
        self.assertEqual([client.read().status for client in clients], [200] * 100)
        self.assertEqual(len(self.one.requests), 100)
        self.assertEqual(self.held(), 0)
        self.assertEqual(self.door.metric("tidegate_wait_seconds_count", how="held"), 100)
        with clients[0]:  # its buffer was replaced: the connection lives on
            self.assertEqual(clients[0].ask(post_bytes("/v1/completions", json_body(model="lora-request"))).status, 200)

    def test_a_client_that_leaves_frees_its_place_at_once(self):
        self.start("--hold-requests-max", "2")
        clients = [ask(self.door) for _ in range(2)]
        eventually(lambda: self.held() == 2, "two held requests")
        refused = self.door.completion()
        self.assert_openai_error(refused, 503)
        self.assertEqual(refused.header("x-tidegate-refused"), "hold-full")
        self.assertTrue(refused.header("retry-after"))
        clients[0].reset()
        eventually(lambda: self.held() == 1, "its place to be free", every=0.005)
        third = ask(self.door)
        eventually(lambda: self.held() == 2, "another one to take it")
        self.wake()
        for client in (clients[1], third):
            self.assertEqual(client.read().status, 200)
        self.assertEqual(len(self.one.requests), 2)

    def test_the_wait_ends(self):
        self.start("--hold-timeout", "200ms")
        began = time.monotonic()
        late = self.door.completion()
        self.assertGreaterEqual(time.monotonic() - began, 0.19)
        self.assert_openai_error(late, 503)
        self.assertEqual(late.header("x-tidegate-refused"), "hold-timeout")
        began = time.monotonic()
        self.assertEqual(self.door.completion(headers=[("x-gateway-queue-timeout", "50ms")]).status, 503)
        self.assertLess(time.monotonic() - began, 0.19)

    def test_bytes_are_bounded_too(self):
        self.start("--hold-bytes-max", "100000")
        waiting = ask(self.door)
        eventually(lambda: self.held() == 1, "a held request")
        large = self.door.post("/v1/completions", json_body(model="lora-request", prompt="x" * 100_000))
        self.assertEqual(large.header("x-tidegate-refused"), "hold-full")
        self.wake()
        self.assertEqual(waiting.read().status, 200)

    def test_large_and_chunked_bodies_arrive_whole(self):
        self.start()
        bodies = [json_body(model="lora-request", prompt=chr(97 + i) * 10 ** i) for i in range(7)]
        clients = [self.door.connect() for _ in bodies]
        for number, (client, body) in enumerate(zip(clients, bodies)):
            if number % 2:
                client.send(post_bytes("/v1/completions", body))
            else:
                head = post_bytes("/v1/completions", "", headers=[("Transfer-Encoding", "chunked")], length=False)
                client.send(head + f"{len(body):x}\r\n{body}\r\n0\r\n\r\n".encode())
        eventually(lambda: self.held() == 7, "seven held requests")
        self.wake()
        self.assertEqual([client.read().status for client in clients], [200] * 7)
        self.assertEqual({len(request.json()["prompt"]) for request in self.one.requests}, {10 ** i for i in range(7)})

    def test_streams_may_be_told_to_wait(self):
        self.start("--hold-keep-alive", "50ms")
        stream, other = ask(self.door, stream=True), ask(self.door)
        head = stream.read_head()
        self.assertEqual(head.status, 200)
        self.assertIn("text/event-stream", head.header("content-type"))
        self.assertEqual(stream.read_chunk(), b": waiting\n\n")
        self.assertEqual(stream.read_chunk(), b": waiting\n\n")
        self.wake()
        rest = b""
        while chunk := stream.read_chunk():
            rest += chunk
        self.assertIn(b'" turns"', rest)
        self.assertTrue(rest.endswith(b"data: [DONE]\n\n"))
        self.assertEqual(other.read().status, 200)
        with stream:
            self.assertEqual(stream.ask(post_bytes("/v1/completions", json_body(model="lora-request"))).status, 200)

    def test_an_error_after_comments_is_an_event(self):
        self.start("--hold-keep-alive", "50ms")
        self.one.script = lambda request, reply: reply.json({"error": {"message": "too long"}}, "400 Bad Request")
        stream = ask(self.door, stream=True)
        stream.read_head()
        self.assertEqual(stream.read_chunk(), b": waiting\n\n")
        self.wake()
        rest = b""
        while chunk := stream.read_chunk():
            rest += chunk
        events = [line[6:] for line in rest.decode().splitlines() if line.startswith("data: ")]
        self.assertEqual(json.loads(events[0])["error"]["message"], "too long")
        self.assertEqual(events[1:], ["[DONE]"])

    def test_a_pool_that_is_not_scaled_from_zero_refuses(self):
        self.start(annotations={"tidegate.dev/hold": "false"})
        self.assertEqual(self.door.completion().header("x-tidegate-refused"), "no-endpoints")

    def test_a_deleted_pool_and_a_stopping_gateway_tell_those_who_wait(self):
        self.start()
        client = ask(self.door)
        eventually(lambda: self.held() == 1, "a held request")
        self.door.remove("pool.yaml")
        self.assertEqual(client.read().status, 503)
        self.door.write("pool.yaml", manifests.pool([], annotations=HOLD))
        eventually(lambda: self.door.completion(headers=[("x-gateway-queue-timeout", "1ms")]).header(
            "x-tidegate-refused") == "hold-timeout", "the pool to be back")
        client = ask(self.door)
        eventually(lambda: self.held() == 1, "a held request")
        self.door.terminate()
        self.assertEqual(client.read().header("x-tidegate-refused"), "stopping")


SERVICE = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: sleeper
  annotations:
    tidegate.dev/scaling-period: 200ms
    tidegate.dev/replica-capacity: "8"
    tidegate.dev/idle-after: 2s
spec:
  predictor:
    minReplicas: 0
    maxReplicas: 2
    containers:
      - name: kserve-container
        image: vllm/vllm-openai:v0.8.5
        command: ["python3", "-m", "vllm.entrypoints.openai.api_server", "--port", "8080", "--model", "/model/llama2"]
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 1}
        resources: {limits: {nvidia.com/gpu: 1}}
    autoScaling: {behavior: {scaleDown: {stabilizationWindowSeconds: 2}}}
"""


class FromZero(WireTest):
    def engines(self, up, mark):
        """How many processes below `up` have this in their command line."""
        count, queue = 0, [up.pid]
        for pid in queue:
            try:
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    queue += [int(child) for child in (task / "children").read_text().split()]
                count += mark in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                pass
        return count

    def test_an_inference_service_sleeps_and_wakes(self):
        port = free_port()
        folder = pathlib.Path(self.folder) / "manifests"
        folder.mkdir()
        (folder / "sleeper.yaml").write_text(SERVICE)
        up = self.home("-f", folder, "--engine", "simulate", "--gpus", "2", "--ingress-port", port)

        body = json_body(model="/model/llama2", prompt="x", max_tokens=20, ignore_eos=True)
        statuses = []

        def client():
            with Connection("127.0.0.1", port, timeout=60) as connection:
                statuses.append(connection.ask(
                    post_bytes("/v1/completions", body, host="sleeper-default.example.com")).status)

        for _ in range(2):
            eventually(lambda: self.engines(up, b"--model") == 0, "no engine when nobody asks", seconds=60)
            statuses.clear()
            clients = [threading.Thread(target=client) for _ in range(20)]
            for thread in clients:
                thread.start()
            for thread in clients:
                thread.join()
            self.assertEqual(statuses, [200] * 20, up.log()[-3000:])

    def test_many_wake_a_service_and_are_sent_when_it_is_ready(self):
        """Readiness is the engine's first 200 to the probe: the condition Ready and the endpoint come after it."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        port, notes, gate = free_port(), pathlib.Path(self.folder) / "notes", pathlib.Path(self.folder) / "gate"
        folder = pathlib.Path(self.folder) / "manifests"
        folder.mkdir()
        engine = settings.ROOT / "tests" / "wire" / "harness" / "woken_engine.py"
        text = SERVICE.replace('["python3", "-m", "vllm.entrypoints.openai.api_server", "--port", "8080", "--model", "/model/llama2"]',
                               json.dumps([sys.executable, str(engine), "8080", str(notes), str(gate)]))
        (folder / "sleeper.yaml").write_text(text.replace("maxReplicas: 2", "maxReplicas: 1").replace("idle-after: 2s", "idle-after: 500ms"))
        gate.touch()
        up = self.home("-f", folder, "--gpus", "1", "--ingress-port", port)

        def seen():
            lines = notes.read_text().splitlines() if notes.exists() else []
            return {name: value for line in lines for name, value in json.loads(line).items()}

        def memory():
            return int(pathlib.Path(f"/proc/{up.pid}/status").read_text().split("VmRSS:")[1].split()[0]) * 1024

        stats = int(re.search(r"metrics: http://127\.0\.0\.1:(\d+)", up.log()).group(1))

        def held():
            with Connection("127.0.0.1", stats) as connection:
                page = connection.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").body.decode()
            return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith("tidegate_held_requests{"))

        eventually(lambda: "healthy" in seen(), "the first replica", seconds=30)
        eventually(lambda: self.engines(up, b"woken_engine") == 0, "it to sleep", seconds=60, every=0.1)
        notes.unlink()
        gate.unlink()
        body = json_body(model="m", prompt="x" * 1024, max_tokens=1)
        before = memory()
        clients = []
        for _ in range(HELD):
            client = Connection("127.0.0.1", port, timeout=120)
            client.send(post_bytes("/v1/completions", body, host="sleeper-default.example.com"))
            clients.append(client)
        eventually(lambda: held() == HELD, "all of them to be held", seconds=60, every=0.1)
        each = (memory() - before) / HELD - len(body)
        gate.touch()
        statuses = [client.read().status for client in clients]
        after = eventually(lambda: seen() if seen().get("count") == HELD else None, "all to be counted", seconds=60)
        self.assertEqual(statuses.count(200), HELD, up.log()[-3000:])
        first = after["asked"] - after["healthy"]
        print(f"{HELD} held: first dispatch {first * 1e3:.1f} ms after readiness, the last {after['all'] - after['healthy']:.2f} s; "
              f"{each:.0f} bytes each beside the body; 0 lost")
        self.assertLess(first, 0.05 if HELD >= 10_000 else 0.5)
        self.assertLess(each, (10 if HELD >= 10_000 else 40) * 1024)  # of few, what is there once counts
        for client in clients:
            client.close()
