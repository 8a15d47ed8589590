"""An engine that answers with failures, or hangs, is left within a few requests and comes back when it works again."""

import json
import threading

from harness import WireTest, eventually, manifests
from harness.engine import polite


def failing(request, reply):
    reply.json({"error": {"message": "CUDA error", "type": "InternalServerError", "code": 500}}, "500 Internal Server Error")


class Breaker(WireTest):
    def start(self, *extra, engines=3):
        self.behind = self.engines(engines)
        self.door = self.gateway(manifests.canary(self.behind, {"sql-lora": 1}),
                                 extra=["--weight-lora", "0", *extra])
        eventually(lambda: len(self.rows()) == engines and all(row["scrapeAgeSeconds"] is not None for row in self.rows()),
                   "a scrape of each")

    def rows(self):
        return json.loads(self.door.stats("/endpoints").body)

    def row(self, engine):
        return next(row for row in self.rows() if row["endpoint"] == engine.address)

    def test_failures_are_left_and_a_probe_brings_it_back(self):
        self.start("--breaker-pause", "300ms")
        sick = self.behind[0]
        sick.script = failing
        statuses = [self.door.completion().status for _ in range(100)]
        self.assertLessEqual(statuses.count(500), 8)
        self.assertEqual(statuses.count(200), 100 - statuses.count(500))
        eventually(lambda: self.row(sick)["breaker"] == "half-open", "the pause's end")
        sick.requests.clear()
        statuses = [self.door.completion().status for _ in range(60)]  # the pause has doubled
        self.assertLessEqual(len(sick.requests), 3)
        self.assertGreaterEqual(self.row(sick)["ejections"], 2)
        self.assertGreaterEqual(self.door.metric("tidegate_endpoint_ejections_total", endpoint=sick.address), 2)
        sick.script = polite
        sick.requests.clear()

        def back():
            self.assertEqual(self.door.completion().status, 200)
            return self.row(sick)["breaker"] == "closed" and len(sick.requests) > 5
        eventually(back, "requests again")

    def test_a_hanging_engine_is_left_and_comes_back(self):
        self.start("--hang-timeout", "300ms")
        sick = self.behind[0]
        hold = threading.Event()
        self.addCleanup(hold.set)

        def hanging(request, reply):
            hold.wait(30)
            polite(request, reply)
        sick.script = hanging
        lost = [threading.Thread(target=self.door.completion) for _ in range(4)]
        for thread in lost:
            thread.start()
        eventually(lambda: sick.requests, "a request that hangs")
        eventually(lambda: self.row(sick)["hangs"], "the engine to be seen as hanging")
        held = len(sick.requests)
        self.assertEqual([self.door.completion().status for _ in range(50)], [200] * 50)
        self.assertEqual(len(sick.requests), held)
        sick.script = polite
        hold.set()
        for thread in lost:
            thread.join()
        eventually(lambda: self.door.completion().status == 200 and len(sick.requests) > held + 3, "requests again")

    def test_when_most_fail_all_are_asked(self):
        self.start(engines=2)
        for engine in self.behind:
            engine.script = failing
        statuses = {self.door.completion().status for _ in range(40)}
        self.assertEqual(statuses, {500})  # what the engines say, not an answer of ours
        self.assertGreater(min(len(engine.requests) for engine in self.behind), 5)

    def test_an_endpoint_holds_no_more_than_it_may(self):
        self.start("--endpoint-requests-max", "2", engines=2)
        hold = threading.Event()
        self.addCleanup(hold.set)

        def slow(request, reply):
            hold.wait(30)
            polite(request, reply)
        for engine in self.behind:
            engine.script = slow
        waiting = [threading.Thread(target=self.door.completion) for _ in range(4)]
        for thread in waiting:
            thread.start()
        eventually(lambda: all(len(engine.requests) == 2 for engine in self.behind), "both to be full")
        refused = self.door.completion()
        self.assertEqual(refused.status, 429)
        self.assertEqual(refused.header("x-tidegate-refused"), "endpoints-full")
        self.assertEqual(refused.header("retry-after"), "1")
        hold.set()
        for thread in waiting:
            thread.join()
        self.assertEqual(self.door.completion().status, 200)
