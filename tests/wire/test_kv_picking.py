"""A gateway that hears what engines hold: it goes by that, not by where it sent things."""

import json
import tempfile

from harness import WireTest, eventually, manifests, post_bytes, settings
from harness.client import Connection
from harness.process import Process, free_port

ENGINE_FLAGS = ["--simulate=instant", "--served-model-name", "base", "--enable-lora", "--max-loras", "2",
                "--lora-modules", "sql=sql", "tweet=tweet", "--max-model-len", "4096"]


def text(number, size=3000):
    return f"{number:05d} goes out with the tide. " * (size // 28)


class Engine:
    """Our engine, telling its KV events."""

    def __init__(self, case, blocks=4000):
        self.case, self.blocks = case, blocks
        self.port, self.publish, self.replay = free_port(), free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.start()

    def start(self):
        config = {"enable_kv_cache_events": True, "publisher": "zmq", "endpoint": f"tcp://*:{self.publish}",
                  "replay_endpoint": f"tcp://*:{self.replay}", "topic": "kv@tester"}
        self.process = Process([settings.BINARY, "engine", "--port", self.port, "--kv-events-config", json.dumps(config),
                                "--num-gpu-blocks-override", self.blocks, *ENGINE_FLAGS],
                               tempfile.mkdtemp(dir=self.case.folder), "engine", env={"VLLM_SERVER_DEV_MODE": "1"})
        self.case.own(self.process)
        eventually(self.answers, "an engine that answers")

    def answers(self):
        try:
            return self.ask("GET /health HTTP/1.1\r\nHost: a\r\n\r\n".encode()).status == 200
        except OSError:
            assert self.process.alive(), self.process.log()
            return False

    def ask(self, data):
        with Connection("127.0.0.1", self.port) as client:
            return client.ask(data)

    def complete(self, prompt, model="base"):
        answer = self.ask(post_bytes("/v1/completions", json.dumps({"model": model, "prompt": prompt, "max_tokens": 1})))
        self.case.assertEqual(answer.status, 200, answer.body)

    def forget(self):
        self.case.assertEqual(self.ask(post_bytes("/reset_prefix_cache", "")).status, 200)

    def metric(self, name):
        page = self.ask(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").body.decode()
        return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(name + "{"))


class KvPicking(WireTest):
    def start(self, *engines, replay=True, extra=()):
        self.behind = engines
        marks = {"tidegate.dev/kv-events-port": ", ".join(f"{engine.port}={engine.publish}" for engine in engines)}
        if replay:
            marks["tidegate.dev/kv-events-replay-port"] = ", ".join(f"{engine.port}={engine.replay}" for engine in engines)
        self.door = self.gateway(manifests.canary(engines, {"sql": 1}, annotations=marks), workers=1, extra=extra)
        eventually(lambda: all(row["scrapeAgeSeconds"] is not None for row in self.rows().values()), "a scrape of each")
        eventually(self.knows_models, "the models of the engines")

    def knows_models(self):
        return {model["id"] for model in json.loads(self.door.get("/v1/models").body).get("data", ())} >= {"base", "sql", "tweet"}

    def rows(self):
        return {row["endpoint"]: row for row in json.loads(self.door.stats("/endpoints").body)}

    def row(self, engine):
        return self.rows()[engine.address]

    def ask(self, prompt, model="base", **more):
        """Where it went."""
        before = [engine.metric("vllm:request_success_total") for engine in self.behind]
        answer = self.door.post("/v1/completions", json.dumps({"model": model, "prompt": prompt, "max_tokens": 1, **more}))
        self.assertEqual(answer.status, 200, answer.body)
        after = []
        def counted():
            after[:] = [engine.metric("vllm:request_success_total") for engine in self.behind]
            return sum(after) > sum(before)
        eventually(counted, "an engine that has served it")
        return next(engine for engine, was, now in zip(self.behind, before, after) if now > was)

    def teach(self, prompt, model="base"):
        """The gateway learns the prompt's tokens, and the engines forget that it was ever there."""
        learnt = self.door.metric("tidegate_kv_tokenized_total", what="learnt")
        self.ask(prompt, model)
        eventually(lambda: self.door.metric("tidegate_kv_tokenized_total", what="learnt") > learnt, "tokens that are learnt")

    def whole(self):
        return all(row.get("kvEvents") == "whole" for row in self.rows().values())

    def forget_all(self):
        for engine in self.behind:
            engine.forget()
        eventually(lambda: all(row["kvBlocks"] == 0 for row in self.rows().values()), "caches that are known to be empty")

    def warm(self, engine, prompt, model="base"):
        """Behind the gateway's back."""
        before = self.row(engine)["kvBlocks"]
        engine.complete(prompt, model)
        eventually(lambda: self.row(engine)["kvBlocks"] > before, "blocks that are told")

    def test_what_an_engine_told_before_the_gateway_came_is_replayed(self):
        one, other = Engine(self), Engine(self)
        one.complete(text(1))
        self.start(one, other)
        eventually(self.whole, "streams that are known whole")
        self.assertGreater(self.row(one)["kvBlocks"], 20)
        self.assertGreater(self.door.metric("tidegate_kv_events_total", what="stored"), 20)
        self.assertEqual(self.row(other)["kvBlocks"], 0)
        self.assertGreater(self.door.metric("tidegate_kv_streams_total", what="replay"), 1)

    def test_the_engine_that_holds_a_prompt_gets_it_wherever_it_was_sent_before(self):
        self.start(Engine(self), Engine(self), Engine(self))
        eventually(self.whole, "streams that are known whole")
        for number in range(6):
            holder = self.behind[number % 3]
            self.teach(text(number))
            self.forget_all()
            self.warm(holder, text(number))
            self.assertIs(self.ask(text(number) + "and on"), holder)
        self.assertGreater(self.door.metric("tidegate_prefix_lookups_total", source="told"), 0)

    def test_what_was_pushed_out_is_not_counted_on(self):
        small, large = Engine(self, blocks=300), Engine(self)
        self.start(small, large)
        eventually(self.whole, "streams that are known whole")
        self.teach(text(1))
        self.forget_all()
        self.warm(small, text(1))
        self.assertIs(self.ask(text(1)), small)
        for number in range(10, 16):  # more than it holds
            small.complete(text(number, 6000))
        self.warm(large, text(1))
        eventually(lambda: self.door.metric("tidegate_kv_events_total", what="removed") > 40, "blocks that are told to be gone")
        for _ in range(3):
            self.assertIs(self.ask(text(1)), large)

    def test_an_adapters_blocks_are_its_own(self):
        self.start(Engine(self), Engine(self))
        one, other = self.behind
        eventually(self.whole, "streams that are known whole")
        self.teach(text(1), "sql")
        self.teach(text(1), "tweet")
        self.forget_all()
        self.warm(one, text(1), "sql")
        self.warm(other, text(1), "tweet")
        for _ in range(3):
            self.assertIs(self.ask(text(1), "sql"), one)
            self.assertIs(self.ask(text(1), "tweet"), other)

    def test_an_engine_that_starts_again_holds_nothing(self):
        self.start(Engine(self), Engine(self))
        one, other = self.behind
        eventually(self.whole, "streams that are known whole")
        self.warm(one, text(1))
        one.process.stop()
        eventually(lambda: self.row(one)["kvEvents"] == "none", "a stream that is in doubt")
        one.start()
        eventually(lambda: self.row(one)["kvEvents"] == "whole" and self.row(one)["kvBlocks"] == 0, "a cache that is empty")
        self.warm(one, text(2))
        self.assertEqual(self.row(other)["kvBlocks"], 0)

    def test_without_a_replay_port_it_is_known_from_then_on(self):
        self.start(Engine(self), Engine(self), replay=False)
        one, other = self.behind
        eventually(lambda: self.row(one).get("kvEvents") == "none", "a stream that is listened for")
        def heard():
            one.complete(text(1, 600))
            one.forget()
            return self.row(one)["kvEvents"] == "whole"  # told that it is empty
        eventually(heard, "a stream that is heard", every=0.2)
        self.warm(one, text(2))
        self.assertEqual(self.row(other)["kvEvents"], "none")

    def test_an_engine_that_leaves_the_pool_takes_its_blocks_along(self):
        self.start(Engine(self), Engine(self))
        one, other = self.behind
        eventually(self.whole, "streams that are known whole")
        self.warm(one, text(1))
        self.door.write("pool.yaml", manifests.pool([other], annotations={"tidegate.dev/kv-events-port": f"{other.port}={other.publish}"}))
        eventually(lambda: one.address not in self.rows(), "a pool without it")
        eventually(lambda: self.door.metric("tidegate_kv_index_blocks") == 0, "an index without its blocks")
