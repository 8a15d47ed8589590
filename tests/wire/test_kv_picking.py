"""A gateway that hears what engines hold: it goes by that, not by where it sent things."""

import json
import pathlib
import random
import subprocess
import tempfile

from harness import WireTest, eventually, manifests, needs, post_bytes, settings
from harness.client import Connection
from harness.process import Process, free_port

ENGINE_FLAGS = ["--simulate=instant", "--served-model-name", "base", "--enable-lora", "--max-loras", "2",
                "--lora-modules", "sql=sql", "tweet=tweet", "--max-model-len", "4096"]


EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "lora-canary"


def text(number, size=3000):
    return f"{number:05d} goes out with the tide. " * (size // 28)


# Publishes with ZeroMQ's and MessagePack's own packages as vLLM does, one block a batch: "say" aloud, "lose" to nobody,
# "clear" its cache. Answers replays all the while.
PUBLISHER = """
import msgpack, os, sys, time, zmq
context = zmq.Context()
publish, replay = context.socket(zmq.PUB), context.socket(zmq.ROUTER)
publish.bind(sys.argv[1])
replay.bind(sys.argv[2])
kept, blocks = [], 0
poller = zmq.Poller()
poller.register(replay, zmq.POLLIN)
poller.register(0, zmq.POLLIN)
while True:
    for ready, _ in poller.poll():
        if ready is replay:
            client, _, start = replay.recv_multipart()
            for number in range(int.from_bytes(start, "big"), len(kept)):
                replay.send_multipart([client, b"", number.to_bytes(8, "big"), kept[number]])
            replay.send_multipart([client, b"", b"\\xff" * 8, b""])
            continue
        lines = os.read(0, 65536).decode().split()
        if not lines:
            sys.exit()
        for line in lines:
            event = ["AllBlocksCleared"]
            if line != "clear":
                event = ["BlockStored", [blocks], None, [blocks, 1, 2, 3], 4, None, "GPU", None]
                blocks += 1
            kept.append(msgpack.packb([time.time(), [event]]))
            if line != "lose":
                publish.send_multipart([b"", (len(kept) - 1).to_bytes(8, "big"), kept[-1]])
"""


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
        return self.went(lambda: self.door.post("/v1/completions",
                                                json.dumps({"model": model, "prompt": prompt, "max_tokens": 1, **more})))

    def went(self, post):
        before = [engine.metric("vllm:request_success_total") for engine in self.behind]
        answer = post()
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

    def test_a_request_that_waits_for_its_tokens_finds_its_engine_at_once(self):
        """As a gateway that has just come: it has sent nothing anywhere, and asks which tokens these are before it places them."""
        one, other = Engine(self), Engine(self)
        for number in range(8):
            (one if number % 2 else other).complete(text(number))
        self.start(one, other, extra=["--kv-tokenize-wait", "5s"])
        eventually(self.whole, "streams that are known whole")
        for number in range(8):
            self.assertIs(self.ask(text(number) + "and on"), one if number % 2 else other, number)
        self.assertEqual(self.door.metric("tidegate_prefix_lookups_total", source="told"), 8)

    def test_chats_are_known_by_their_tokens_too(self):
        self.start(Engine(self), Engine(self))
        one, other = self.behind
        eventually(self.whole, "streams that are known whole")
        for number in range(4):
            holder = self.behind[number % 2]
            body = json.dumps({"model": "base", "max_tokens": 1, "messages": [{"role": "system", "content": text(number)},
                                                                             {"role": "user", "content": "And now?"}]})
            learnt = self.door.metric("tidegate_kv_tokenized_total", what="learnt")
            self.assertEqual(self.door.post("/v1/chat/completions", body).status, 200)
            eventually(lambda: self.door.metric("tidegate_kv_tokenized_total", what="learnt") > learnt, "tokens that are learnt")
            self.forget_all()
            self.assertEqual(holder.ask(post_bytes("/v1/chat/completions", body)).status, 200)
            eventually(lambda: self.row(holder)["kvBlocks"] > 20, "blocks that are told")
            told = self.door.metric("tidegate_prefix_lookups_total", source="told")
            self.assertIs(self.went(lambda: self.door.post("/v1/chat/completions", body)), holder)
            self.assertEqual(self.door.metric("tidegate_prefix_lookups_total", source="told"), told + 1)

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


class KvStreams(WireTest):
    @needs(settings.VENV_PYTHON, "no pyzmq under build/venv; tools/install test gets it")
    def test_what_got_lost_on_the_way_is_asked_for_again(self):
        engine, publish, replay = self.engine(), free_port(), free_port()
        publisher = subprocess.Popen([settings.VENV_PYTHON, "-c", PUBLISHER, f"tcp://*:{publish}", f"tcp://*:{replay}"],
                                     stdin=subprocess.PIPE, text=True)
        self.addCleanup(publisher.wait)
        self.addCleanup(publisher.stdin.close)
        door = self.gateway(manifests.canary([engine], {"sql": 1}, annotations={
            "tidegate.dev/kv-events-port": str(publish), "tidegate.dev/kv-events-replay-port": str(replay)}))
        said = 0

        def tell(what):
            nonlocal said
            publisher.stdin.write(what + "\n")
            publisher.stdin.flush()
            said += 1

        def row():
            return json.loads(door.stats("/endpoints").body)[0]

        eventually(lambda: row().get("kvEvents") == "whole", "a stream that is known whole")
        def live():
            tell("say")
            return door.metric("tidegate_kv_streams_total", what="batch") == said
        eventually(live, "a subscription that has arrived", every=0.1)
        gaps = door.metric("tidegate_kv_streams_total", what="gap")
        for what in ("lose", "lose", "say"):
            tell(what)
        eventually(lambda: row()["kvBlocks"] == said, "all blocks, those that got lost too")
        self.assertEqual(row()["kvEvents"], "whole")
        self.assertEqual(door.metric("tidegate_kv_streams_total", what="gap"), gaps + 1)
        self.assertEqual(door.metric("tidegate_kv_streams_total", what="lost"), 0)
        tell("clear")
        eventually(lambda: row()["kvBlocks"] == 0, "a cache that was cleared")


class KvPickingAtHome(WireTest):
    def test_pods_of_this_machine_are_followed(self):
        """The canary's pods, told to publish at one port each, as on a cluster."""
        port, stats = free_port(), free_port()
        files = pathlib.Path(self.folder) / "manifests"
        files.mkdir()
        events = json.dumps({"enable_kv_cache_events": True, "publisher": "zmq", "endpoint": "tcp://*:5557", "replay_endpoint": "tcp://*:5657"})
        for source in EXAMPLE.glob("*.yaml"):
            content = source.read_text().replace("number: 8080", f"number: {port}")
            content = content.replace('            - "--enable-lora"\n', f"            - \"--enable-lora\"\n            - \"--kv-events-config\"\n            - '{events}'\n")
            if source.name == "3-pool.yaml":
                content = content.replace("  name: vllm-llama2-7b-pool\nspec:", "  name: vllm-llama2-7b-pool\n  annotations:\n"
                                          '    tidegate.dev/kv-events-port: "5557"\n    tidegate.dev/kv-events-replay-port: "5657"\nspec:')
            (files / source.name).write_text(content)
        up = self.own(Process([settings.BINARY, "up", "-f", files, "--data", f"{self.folder}/data", "--api-port", "0", "--stats-port", stats,
                               "--engine", "simulate", "--pod-range", f"127.{random.randint(80, 126)}.{random.randint(0, 255)}.0/24"],
                              self.folder, "up"))
        def rows():
            self.assertTrue(up.alive(), up.log()[-3000:])
            try:
                with Connection("127.0.0.1", stats) as client:
                    return json.loads(client.ask(b"GET /endpoints HTTP/1.1\r\nHost: a\r\n\r\n").body)
            except OSError:
                return []
        eventually(lambda: [row.get("kvEvents") for row in rows()] == ["whole"] * 3, "three streams that are known whole", seconds=60)
        with Connection("127.0.0.1", port) as client:
            answer = client.ask(post_bytes("/v1/completions", json.dumps({"model": "lora-request", "prompt": text(1), "max_tokens": 1})))
        self.assertEqual(answer.status, 200, answer.body)
        eventually(lambda: sum(row["kvBlocks"] for row in rows()) > 20, "blocks that are told")
