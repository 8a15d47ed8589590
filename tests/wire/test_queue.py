"""Flow control: what no engine has room for waits in the gateway, by priority and fairly between tenants."""

import threading
import time

from harness import WireTest, eventually, json_body, manifests, post_bytes
from harness.engine import completion

TARGET = {"sql-lora": 1}


def objective(name, priority, group="llm-d.ai"):
    return f"""apiVersion: {group}/v1alpha2
kind: InferenceObjective
metadata: {{name: {name}, namespace: default}}
spec: {{priority: {priority}, poolRef: {{group: inference.networking.x-k8s.io, name: {manifests.POOL}}}}}
"""


class Queue(WireTest):
    def start(self, *options, more=None, workers=2):
        """One engine that takes a single request at a time and answers when it is told to."""
        self.order, self.gate = [], threading.Semaphore(0)
        self.lock = threading.Lock()

        def slow(request, reply):
            with self.lock:
                self.order.append(request.json()["prompt"])
            self.gate.acquire()
            reply.json(completion("sql-lora"))

        self.one = self.engine(slow)
        self.one.gauges["num_requests_waiting"] = 50  # so that one of ours at a time goes there
        self.door = self.gateway({**manifests.canary([self.one], TARGET), **(more or {})}, extra=options, workers=workers)
        eventually(lambda: self.door.metric("tidegate_endpoint_waiting") == 50, "the engine to be read")
        time.sleep(0.25)
        self.first = self.send("first")
        eventually(lambda: self.order == ["first"], "the first request to be sent on")

    def send(self, prompt, **headers):
        client = self.door.connect()
        given = [(name.replace("_", "-"), value) for name, value in headers.items()]
        client.send(post_bytes("/v1/completions", json_body(model="lora-request", prompt=prompt, max_tokens=8),
                               headers=given))
        return client

    def queued(self, **labels):
        return self.door.metric("tidegate_queued_requests", pool=f"default/{manifests.POOL}", **labels)

    def finish(self, clients):
        for _ in clients:
            self.gate.release()
        return [client.read().status for client in clients]

    def test_priorities_go_first_and_tenants_take_turns(self):
        self.start(workers=1, more={"high.yaml": objective("high", 5)})
        clients = [self.first]
        for number in range(6):
            clients.append(self.send(f"loud {number}", x_gateway_inference_fairness_id="loud"))
            eventually(lambda: self.queued() == len(clients) - 1, "it to be queued")
        clients.append(self.send("quiet", x_llm_d_inference_fairness_id="quiet"))
        eventually(lambda: self.queued() == 7, "seven queued requests")
        clients.append(self.send("high", x_gateway_inference_objective="high"))
        eventually(lambda: self.queued(priority="5") == 1, "one of high priority")
        self.assertEqual(self.queued(priority="0"), 7)
        self.assertEqual(self.finish(clients), [200] * 9)
        self.assertEqual(self.order[:2], ["first", "high"])
        self.assertLessEqual(self.order.index("quiet"), 4, self.order)
        self.assertEqual([name for name in self.order if "loud" in name], [f"loud {n}" for n in range(6)])
        self.assertEqual(self.queued(), 0)
        for name, _ in self.one.requests[-1].headers:
            self.assertNotIn("fairness", name)

    def test_tenants_pay_what_their_answers_did_cost(self):
        """Both say as little; the answers of one are two thousand tokens long."""
        self.start(workers=1)
        written = {"writer": 2000, "brief": 20}

        def answer(request, reply):
            prompt = request.json()["prompt"]
            with self.lock:
                self.order.append(prompt)
            self.gate.acquire()
            reply.json(completion("sql-lora", completion_tokens=written[prompt.split()[0]]))

        self.one.script = answer
        clients = [self.first]
        for number in range(20):
            for tenant in written:
                clients.append(self.send(f"{tenant} {number}", x_gateway_inference_fairness_id=tenant))
                eventually(lambda: self.queued() == len(clients) - 1, "it to be queued")
        self.assertEqual(self.finish(clients), [200] * 41)
        self.assertEqual(sum("writer" in name for name in self.order[1:22]), 1, self.order)

    def test_bounds_and_time(self):
        self.start("--queue-requests-max", "2", "--queue-timeout", "10s")
        waiting = [self.send("a"), self.send("b")]
        eventually(lambda: self.queued() == 2, "two queued requests")
        full = self.door.completion()
        self.assert_openai_error(full, 429)
        self.assertEqual(full.header("x-tidegate-refused"), "queue-full")
        self.assertTrue(full.header("retry-after"))
        waiting[0].reset()
        eventually(lambda: self.queued() == 1, "the place of one that left to be free", every=0.005)
        late = self.door.completion(headers=[("x-gateway-queue-timeout", "50ms")])
        self.assert_openai_error(late, 429)
        self.assertEqual(late.header("x-tidegate-refused"), "queue-timeout")
        self.assertEqual(self.finish([self.first, waiting[1]]), [200, 200])
        self.assertNotIn("a", self.order)

    def test_what_may_be_shed_does_not_wait(self):
        self.start(more={"low.yaml": objective("low", -1, "inference.networking.x-k8s.io")})
        shed = self.door.completion(headers=[("x-gateway-inference-objective", "low")])
        self.assert_openai_error(shed, 429)
        self.assertEqual(shed.header("x-tidegate-refused"), "saturated")
        self.assertEqual(self.finish([self.first]), [200])

    def test_engines_may_be_left_to_queue(self):
        self.start("--queue-requests-max", "0")
        others = [self.send("a"), self.send("b")]
        eventually(lambda: len(self.order) == 3, "all to be sent on")
        self.assertEqual(self.finish([self.first, *others]), [200] * 3)


class Rewrites(WireTest):
    def test_names_are_rewritten(self):
        engine = self.engine()
        rewrite = f"""apiVersion: llm-d.ai/v1alpha2
kind: InferenceModelRewrite
metadata: {{name: names, namespace: default}}
spec:
  poolRef: {{group: inference.networking.x-k8s.io, name: {manifests.POOL}}}
  rules:
  - targets: [{{modelRewrite: base}}]
  - matches: [{{model: {{type: Exact, value: gpt-4o}}}}, {{model: {{value: lora-request}}}}]
    targets: [{{modelRewrite: sql-lora, weight: 1}}]
"""
        door = self.gateway({**manifests.canary([engine], {"tweet": 1}), "rewrite.yaml": rewrite})
        eventually(lambda: "gpt-4o" in door.get("/v1/models").body.decode(), "the name to be listed")
        for asked, served in (("gpt-4o", "sql-lora"), ("lora-request", "sql-lora"), ("anything", "base")):
            self.assertEqual(door.completion(asked).json()["model"], served)
