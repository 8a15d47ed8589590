"""Engines of one pool that serve different adapters: each is asked for what it lists, also when that changes while it runs."""

import collections
import json

from harness import Connection, WireTest, manifests, post_bytes, settings
from harness.client import json_body
from harness.process import Process, eventually, free_port


class Simulated:
    """`tidegate engine --simulate` at an address of its own, with these adapters."""

    def __init__(self, test, number, adapters):
        self.host, self.port = f"127.67.0.{number}", 0
        self.port = free_port(self.host)
        self.process = test.own(Process(
            [settings.BINARY, "engine", "--simulate=instant", "--served-model-name", "base", "--enable-lora", "--max-loras", "4",
             "--host", self.host, "--port", self.port, "--lora-modules", *(f"{name}=/{name}" for name in adapters)],
            test.folder, f"engine-{number}", env={"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}))

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def ask(self, path, **body):
        with Connection(self.host, self.port) as client:
            return client.ask(post_bytes(path, json_body(**body)))

    def answers(self):
        try:
            with Connection(self.host, self.port) as client:
                return client.ask(b"GET /health HTTP/1.1\r\nHost: e\r\n\r\n").status == 200
        except OSError:
            return False


class Adapters(WireTest):
    def lists(self, gateway, *names):
        eventually(lambda: {*names} <= {card["id"] for card in gateway.get("/v1/models").json().get("data", [])},
                   f"{names} to be listed")

    def served(self, gateway, model, times=1):
        for _ in range(times):
            answer = gateway.completion(model)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.json()["model"], model)

    def retries(self, gateway):
        return gateway.metric("tidegate_retries_total", reason="not-loaded")

    def test_each_simulated_engine_is_asked_for_what_it_lists(self):
        sql, tweet = Simulated(self, 1, ["sql", "both"]), Simulated(self, 2, ["tweet", "both"])
        for engine in (sql, tweet):
            eventually(engine.answers, "the engine answers")
        gateway = self.gateway(manifests.canary([sql, tweet], {"sql": 1, "tweet": 1}))
        self.lists(gateway, "sql", "tweet", "both", "base")
        for model in ("sql", "tweet", "both", "base"):
            self.served(gateway, model, times=20)
        drawn = collections.Counter(gateway.completion("lora-request").json()["model"] for _ in range(40))
        self.assertEqual(set(drawn), {"sql", "tweet"})
        self.assertEqual(self.retries(gateway), 0)
        # One that is loaded while it runs is found, and nobody else is asked for it once that is known.
        self.assertEqual(gateway.completion("late").status, 404)
        self.assertEqual(tweet.ask("/v1/load_lora_adapter", lora_name="late", lora_path="/late").status, 200)
        self.lists(gateway, "late")
        self.served(gateway, "late", times=20)
        # One that is unloaded on one of two is asked for on the other; who asks in vain makes the list be read again.
        self.assertEqual(sql.ask("/v1/unload_lora_adapter", lora_name="both").status, 200)
        self.served(gateway, "both", times=20)
        eventually(lambda: self.settled(gateway, "both"), "the engine that lost it to be left alone")

    def settled(self, gateway, model):
        """20 requests without one in vain."""
        before = self.retries(gateway)
        for _ in range(20):
            self.assertEqual(gateway.completion(model).status, 200)
        return self.retries(gateway) == before

    def test_a_target_that_is_loaded_before_it_is_listed_is_found_by_asking(self):
        sql, tweet = Simulated(self, 1, ["sql"]), Simulated(self, 2, ["tweet"])
        for engine in (sql, tweet):
            eventually(engine.answers, "the engine answers")
        gateway = self.gateway(manifests.canary([sql, tweet], {"new": 1}))
        self.lists(gateway, "sql", "tweet")
        answer = gateway.completion("lora-request")
        self.assert_openai_error(answer, 404)  # both were asked, and the second's word is told
        self.assertEqual(self.retries(gateway), 1)
        self.assertEqual(tweet.ask("/v1/load_lora_adapter", lora_name="new", lora_path="/new").status, 200)
        for _ in range(20):
            self.assertEqual(gateway.completion("lora-request").json()["model"], "new")
        eventually(lambda: self.settled(gateway, "lora-request"), "only the engine that has it to be asked")

    def test_one_that_moves_between_two_readings_of_the_lists_is_followed(self):
        here, there = Simulated(self, 1, ["moves", "sql"]), Simulated(self, 2, ["tweet"])
        for engine in (here, there):
            eventually(engine.answers, "the engine answers")
        gateway = self.gateway(manifests.canary([here, there], {"moves": 1}))
        self.lists(gateway, "moves", "tweet")
        for _ in range(5):
            self.assertEqual(there.ask("/v1/load_lora_adapter", lora_name="moves", lora_path="/moves").status, 200)
            self.assertEqual(here.ask("/v1/unload_lora_adapter", lora_name="moves").status, 200)
            self.served(gateway, "moves")
            self.assertEqual(gateway.completion("lora-request").status, 200)
            here, there = there, here

    def test_a_404_of_another_kind_is_handed_on(self):
        def nothing_here(request, reply):
            reply.json({"detail": "Not Found"}, status="404 Not Found")

        first, second = self.engine(nothing_here), self.engine(nothing_here)
        gateway = self.gateway(manifests.canary([first, second], {"sql": 1}))
        self.lists(gateway, "base")
        answer = gateway.completion("base")
        self.assertEqual((answer.status, answer.json()), (404, {"detail": "Not Found"}))
        self.assertEqual(len(first.requests) + len(second.requests), 1)

    def test_a_stream_that_is_refused_is_asked_for_elsewhere(self):
        missing = {"error": {"message": "The model `sql` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}}
        lost = self.engine(lambda request, reply: reply.json(missing, status="404 Not Found"))
        has = self.engine()
        lost.adapters, has.adapters = ["sql"], ["sql"]
        gateway = self.gateway(manifests.canary([lost, has], {"sql": 1}))
        self.lists(gateway, "sql")
        for _ in range(20):
            answer = gateway.completion("sql", stream=True)
            self.assertEqual(answer.status, 200, answer)
            self.assertIn(b"[DONE]", answer.body)
        self.assertTrue(lost.requests)
        has.stop()
        eventually(lambda: gateway.completion("sql").status in (404, 503), "the last one to be gone")

    def test_those_that_lack_a_model_are_not_asked_when_the_one_that_has_it_is_gone(self):
        only, other = self.engine(), self.engine()
        only.adapters, other.adapters = ["sql"], ["tweet"]
        gateway = self.gateway(manifests.canary([only, other], {"sql": 1}))
        self.lists(gateway, "sql", "tweet")
        only.stop()
        answer = eventually(lambda: (found := gateway.completion("sql")).status == 503 and found, "503")
        self.assert_openai_error(answer, 503)
        self.assertNotIn("sql", [json.loads(request.body)["model"] for request in other.requests])
        self.served(gateway, "tweet", times=5)

    def test_engines_that_load_what_they_are_asked_for_are_asked(self):
        first, second = self.engine(), self.engine()
        first.adapters, second.adapters = ["sql"], ["tweet"]
        gateway = self.gateway(manifests.canary([first, second], {"sql": 1}, annotations={"tidegate.dev/unlisted-models": "ask"}))
        self.lists(gateway, "sql", "tweet")
        first.stop()
        eventually(lambda: gateway.completion("sql").status == 200, "the other one to be asked")
        self.assertTrue(second.requests)
