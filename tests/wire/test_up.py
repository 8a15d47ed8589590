"""The embedded home: `tidegate up` runs the example's Deployment as simulated engines, heals what dies, and ends cleanly."""

import contextlib
import os
import pathlib
import re
import signal
import threading
import unittest
from collections import Counter

from harness import Connection, WireTest, eventually, post_bytes, settings
from harness.client import Closed
from harness.process import free_port

EXAMPLE = settings.ROOT / "examples" / "lora-canary"
ADAPTERS = {f"{name}{suffix}" for name in ("sql-lora", "tweet-summary") for suffix in ("", "-1", "-2", "-3", "-4")}


class Traffic:
    """Clients that ask without pause until stopped."""

    def __init__(self, test, clients=4):
        self.test = test
        self.answered = 0
        self.failures = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self):
        try:
            with self.test.connect() as client:
                while not self.stopping.is_set():
                    answer = self.test.ask(client, max_tokens=1)
                    if answer.status == 200:
                        self.answered += 1
                    else:
                        self.failures.append(answer)
        except (Closed, OSError) as error:
            self.failures.append(error)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


@unittest.skipUnless(EXAMPLE.exists(), "no examples/lora-canary")
class Up(WireTest):
    def start(self, replicas, *engine_flags):
        self.manifests = pathlib.Path(self.folder) / "manifests"
        self.manifests.mkdir()
        self.port = free_port()
        for file in EXAMPLE.glob("*.yaml"):
            text = file.read_text().replace("number: 8080", f"number: {self.port}")
            text = re.sub(r"initialDelaySeconds: \d+", "initialDelaySeconds: 0", text)
            text = re.sub(r"periodSeconds: \d+", "periodSeconds: 1", text)
            flags = "".join(f'            - "{flag}"\n' for flag in engine_flags)
            text = text.replace('            - "--enable-lora"\n', flags + '            - "--enable-lora"\n')
            (self.manifests / file.name).write_text(re.sub(r"replicas: \d+", f"replicas: {replicas}", text))
        self.up = self.home("-f", self.manifests, "--engine", "simulate", "--gpus", "8")

    def connect(self):
        return Connection("127.0.0.1", self.port)

    def ask(self, client, max_tokens=4):
        body = f'{{"model":"lora-request","prompt":"x","max_tokens":{max_tokens},"temperature":0}}'
        return client.ask(post_bytes("/v1/completions", body))

    def engines(self):
        """Process ids of the pods: children of `up`, or of a shell of theirs, that serve."""
        found, queue = [], [self.up.pid]
        for pid in queue:
            with contextlib.suppress(OSError):
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    queue += [int(child) for child in (task / "children").read_text().split()]
                if b"--lora-modules" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def test_the_examples_ten_adapters_serve(self):
        self.start(replicas=2)
        served = Counter()
        with self.connect() as client:
            for _ in range(150):
                answer = self.ask(client)
                self.assertEqual(answer.status, 200, answer)
                served[answer.json()["model"]] += 1
                self.assertIn(answer.json()["usage"]["completion_tokens"], range(1, 5))
        self.assertLessEqual(set(served), ADAPTERS)
        self.assertGreaterEqual(len(served), 9, served)  # all ten, but for chance

        def names():
            with self.connect() as asking:
                listed = asking.ask(b"GET /v1/models HTTP/1.1\r\nHost: test.com\r\n\r\n").json()["data"]
                return {entry["id"] for entry in listed}

        eventually(lambda: ADAPTERS | {"lora-request"} <= names(), "every name in /v1/models")
        pids = self.engines()
        self.assertEqual(len(pids), 2)
        self.assertEqual(self.up.stop(), 0)
        eventually(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids), "the engines to end")

    def test_a_killed_pod_costs_nothing_and_comes_back(self):
        self.start(replicas=3)
        traffic = self.own(Traffic(self))
        eventually(lambda: traffic.answered > 50, "traffic")
        victim = self.engines()[0]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(self.engines()) == 3 and victim not in self.engines(), "three engines again", seconds=40)
        before = traffic.answered
        eventually(lambda: traffic.answered > before + 50, "traffic afterwards")
        traffic.stop()
        failures = traffic.failures
        # Only answers that had begun can be lost; these engines answer in one piece.
        self.assertLessEqual(len(failures), 4, failures[:3])

    def test_a_replica_more_is_served_and_a_replica_less_drains(self):
        self.start(replicas=1)
        deployment = self.manifests / "1-engines.yaml"
        text = deployment.read_text()
        deployment.write_text(text.replace("replicas: 1", "replicas: 3"))
        eventually(lambda: len(self.engines()) == 3, "three engines", seconds=40)
        deployment.write_text(text)
        with self.connect() as client:
            while len(self.engines()) > 1:
                self.assertEqual(self.ask(client).status, 200)
            self.assertEqual(self.ask(client).status, 200)

    def test_streams_outlast_the_pods_that_a_scale_in_takes(self):
        self.start(2, "--time-to-first-token=1", "--inter-token-latency=60")
        tokens = 60  # almost four seconds each, far longer than a pod takes to be told to go
        body = f'{{"model":"lora-request","prompt":"x","max_tokens":{tokens},"ignore_eos":true,"stream":true}}'
        with contextlib.ExitStack() as open_clients:
            clients = [open_clients.enter_context(self.connect()) for _ in range(6)]  # adapters for all
            for client in clients:
                client.send(post_bytes("/v1/completions", body))
                self.assertEqual(client.read_head().status, 200)
                client.until(b"data: ")  # it runs, on either pod
            deployment = self.manifests / "1-engines.yaml"
            deployment.write_text(deployment.read_text().replace("replicas: 2", "replicas: 1"))
            for client in clients:
                rest = client.until(b"data: [DONE]")
                self.assertNotIn(b"error", rest)
                self.assertGreaterEqual(rest.count(b"data: "), tokens - 1)
            eventually(lambda: len(self.engines()) == 1, "the pod to go once its streams are done", seconds=40)
            with self.connect() as client:
                self.assertEqual(self.ask(client).status, 200)
