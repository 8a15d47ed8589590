"""Clients that leave at every stage: nothing stays counted, and the engine is told at once.

A few hundred leave here. TIDEGATE_LEAVES=10000 lets ten thousand leave at each stage and prints what it saw; likewise
TIDEGATE_HELD=10000 for the requests that wait for a first endpoint.
"""

import os
import pathlib
import resource
import threading
import time

from harness import WireTest, eventually, json_body, manifests, post_bytes

LEAVES = int(os.environ.get("TIDEGATE_LEAVES", "200"))
HELD = int(os.environ.get("TIDEGATE_HELD", "500"))
TARGET = {"sql-lora": 1}
HOLD = {"tidegate.dev/hold": "true"}
BATCH = 50


def many_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Leaves(WireTest):
    def setUp(self):
        super().setUp()
        many_files()
        self.arrived, self.told, self.lock = set(), {}, threading.Lock()

        def wait(request, reply):
            body = request.json()
            if body.get("stream"):
                reply.start_stream()
                reply.event({"choices": [{"index": 0, "text": "x"}]})
            with self.lock:
                self.arrived.add(body["prompt"])
            if reply.peer_left(30):
                self.told[body["prompt"]] = time.monotonic()
            raise OSError("the gateway has left")

        self.one = self.engine(wait)

    def send(self, prompt, **fields):
        client = self.door.connect()
        client.send(post_bytes("/v1/completions", json_body(model="lora-request", prompt=prompt, **fields)))
        return client

    def nothing_is_left(self):
        def counted():
            names = ("tidegate_held_requests", "tidegate_queued_requests", "tidegate_held_bytes", "tidegate_queued_bytes",
                     "tidegate_endpoint_in_flight", "tidegate_requests_active", "tidegate_client_connections")
            return {name: value for name in names if (value := self.door.metric(name))}
        eventually(lambda: not counted(), "all counters to be zero again", seconds=20)

    def leave_from_the_engine(self, what, **fields):
        """Batches of clients whose requests are with the engine; how long after a leave the engine learnt of it."""
        self.door = self.gateway(manifests.canary([self.one], TARGET), extra=("--first-window", "1000"))
        waits = []
        for batch in range(LEAVES // BATCH):
            names = [f"{batch}-{number}" for number in range(BATCH)]
            clients = {name: self.send(name, **fields) for name in names}
            eventually(lambda: all(name in self.arrived for name in names), "the batch to arrive", every=0.002)
            if fields:
                for client in clients.values():
                    client.read_head()
                    client.read_chunk()
            left = {}
            for name, client in clients.items():
                left[name] = time.monotonic()
                client.reset()
                time.sleep(0.001)
            eventually(lambda: all(name in self.told for name in names), "the engine to be told", every=0.002)
            waits += [self.told[name] - left[name] for name in names]
        self.nothing_is_left()
        self.assertLess(percentile(waits, 0.99), 0.5 if LEAVES < 1000 else 0.05)
        print(f"{LEAVES} leaves {what}: engine told after {percentile(waits, 0.5) * 1e3:.1f} ms (p50), "
              f"{percentile(waits, 0.99) * 1e3:.1f} ms (p99), {max(waits) * 1e3:.1f} ms (most)")

    def test_before_the_first_byte(self):
        self.leave_from_the_engine("before the first byte")

    def test_in_the_middle_of_a_stream(self):
        self.leave_from_the_engine("mid-stream", stream=True)

    def leave_while_waiting(self, metric):
        for batch in range(max(1, LEAVES // 1000)):
            clients = [self.send(f"w{batch}-{number}") for number in range(min(LEAVES, 1000))]
            eventually(lambda: self.door.metric(metric) == len(clients), "all of them to wait", seconds=60)
            for client in clients:
                client.reset()
            eventually(lambda: self.door.metric(metric) == 0, "their places to be free", every=0.01)
        self.nothing_is_left()

    def test_while_held(self):
        self.door = self.gateway(manifests.canary([], TARGET, annotations=HOLD))
        self.leave_while_waiting("tidegate_held_requests")
        self.assertEqual(self.arrived, set())

    def test_while_queued(self):
        self.one.gauges["num_requests_waiting"] = 50
        self.door = self.gateway(manifests.canary([self.one], TARGET))
        eventually(lambda: self.door.metric("tidegate_endpoint_waiting") == 50, "the engine to be read")
        time.sleep(0.25)
        first = self.send("first")
        eventually(lambda: "first" in self.arrived, "the first request to be with the engine")
        for batch in range(max(1, LEAVES // 1000)):
            clients = [self.send(f"w{batch}-{number}") for number in range(min(LEAVES, 1000))]
            eventually(lambda: self.door.metric("tidegate_queued_requests") == len(clients), "all to be queued", seconds=60)
            for client in clients:
                client.reset()
            eventually(lambda: self.door.metric("tidegate_queued_requests") == 0, "their places to be free", every=0.01)
        first.reset()
        self.nothing_is_left()
        self.assertEqual(self.arrived, {"first"})


class Held(WireTest):
    def test_many_are_held_cheaply_and_none_is_lost(self):
        many_files()
        engine = self.engine()
        door = self.gateway(manifests.canary([], TARGET, annotations=HOLD), workers=1)

        def memory_kib():
            status = pathlib.Path(f"/proc/{door.process.pid}/status").read_text()
            return int(status.split("VmRSS:")[1].split()[0])

        body = json_body(model="lora-request", prompt="x" * 1024, max_tokens=3)
        door.completion(headers=[("x-gateway-queue-timeout", "1ms")])
        before = memory_kib()
        clients = []
        for _ in range(HELD):
            client = door.connect(timeout=120)
            client.send(post_bytes("/v1/completions", body))
            clients.append(client)
        eventually(lambda: door.metric("tidegate_held_requests") == HELD, "all of them to be held", seconds=120)
        each = (memory_kib() - before) * 1024 / HELD - len(body)
        began = time.monotonic()
        door.write("pool.yaml", manifests.pool([engine], annotations=HOLD))
        while not engine.requests:
            time.sleep(0.0005)
        first = time.monotonic() - began
        statuses = [client.read().status for client in clients]
        took = time.monotonic() - began
        self.assertEqual(statuses.count(200), HELD)
        self.assertEqual(len(engine.requests), HELD)
        self.assertLess(each, 10 * 1024)
        self.assertLess(first, 1.0)
        for client in clients:
            client.close()
        print(f"{HELD} held: {each:.0f} bytes each beside the body; first dispatch {first * 1e3:.0f} ms after the pool's file "
              f"changed; all answered after {took:.1f} s; 0 lost")
