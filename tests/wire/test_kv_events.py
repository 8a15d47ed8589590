"""What an engine tells of its KV cache, heard by ZeroMQ's and MessagePack's own Python packages, as vLLM's users hear it."""

import json
import subprocess
import tempfile

from harness import WireTest, needs, settings
from harness.process import Process, eventually, free_port
from harness.client import Connection, post_bytes

NO_ZMQ = "no pyzmq under build/venv; tools/install test gets it"

# Prints what it hears as JSON lines: number, then the batch. With a second endpoint it asks for a replay from 0 first.
SUBSCRIBER = """
import json, msgpack, sys, zmq
context = zmq.Context()
sub = context.socket(zmq.SUB)
sub.connect(sys.argv[1])
sub.setsockopt_string(zmq.SUBSCRIBE, "kv@")
request = context.socket(zmq.DEALER)
request.connect(sys.argv[2])
def tell(number, payload, where):
    print(json.dumps([where, int.from_bytes(number, "big"), msgpack.unpackb(payload)]), flush=True)
print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "replay":
        request.send_multipart([b"", (0).to_bytes(8, "big")])
        while True:
            empty, number, payload = request.recv_multipart()
            assert empty == b""
            if number == b"\\xff" * 8:
                assert payload == b""
                print(json.dumps(["end"]), flush=True)
                break
            tell(number, payload, "replay")
    else:  # all that has come, and what comes within a moment
        while sub.poll(200):
            topic, number, payload = sub.recv_multipart()
            assert topic == b"kv@tester", topic
            tell(number, payload, "live")
        print(json.dumps(["end"]), flush=True)
"""


class Subscriber:
    def __init__(self, publish, replay):
        self.child = subprocess.Popen([settings.VENV_PYTHON, "-c", SUBSCRIBER, publish, replay], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        assert self.child.stdout.readline() == "ready\n"

    def ask(self, what):
        self.child.stdin.write(what + "\n")
        self.child.stdin.flush()

    def hear(self):
        return json.loads(self.child.stdout.readline())

    def replay(self):
        return self.all("replay")

    def all(self, what):
        self.ask(what)
        heard = []
        while (one := self.hear()) != ["end"]:
            heard.append(one)
        return heard

    def stop(self):
        self.child.stdin.close()
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


class KvEvents(WireTest):
    def start(self, *flags):
        self.port, publish, replay = free_port(), free_port(), free_port()
        config = {"enable_kv_cache_events": True, "publisher": "zmq", "endpoint": f"tcp://*:{publish}",
                  "replay_endpoint": f"tcp://*:{replay}", "topic": "kv@tester"}
        folder = tempfile.mkdtemp(dir=self.folder)
        self.process = Process([settings.BINARY, "engine", "--port", self.port, "--kv-events-config", json.dumps(config), *flags],
                               folder, "engine")
        self.own(self.process)
        eventually(lambda: self.answers(), "an engine that answers")
        self.subscriber = Subscriber(f"tcp://127.0.0.1:{publish}", f"tcp://127.0.0.1:{replay}")
        self.addCleanup(self.subscriber.stop)

    def answers(self):
        try:
            with Connection("127.0.0.1", self.port) as client:
                return client.ask(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").status == 200
        except OSError:
            assert self.process.alive(), self.process.log()
            return False

    def post(self, path, **body):
        with Connection("127.0.0.1", self.port) as client:
            answer = client.ask(post_bytes(path, json.dumps(body)))
        self.assertEqual(answer.status, 200, answer.body)
        return json.loads(answer.body)

    def complete(self, model, prompt, **more):
        return self.post("/v1/completions", **{"model": model, "prompt": prompt, "max_tokens": 1, **more})

    def check_told(self, model, adapter):
        """One prompt through the base, one through an adapter: the tokens told are those of /tokenize."""
        prompt = "the tide comes in and the tide goes out again; " * 8
        tokens = self.post("/tokenize", model=model, prompt=prompt)["tokens"]
        for name in (model, adapter):  # the answer's blocks are told one by one, each with the one before it
            self.complete(name, prompt, max_tokens=40, ignore_eos=True)
        heard = self.subscriber.replay()
        self.assertEqual([number for _, number, _ in heard], list(range(len(heard))))
        stored = [event for _, _, batch in heard for event in batch[1] if event[0] == "BlockStored"]
        for name in (None, adapter):
            told, parent = [], None
            for tag, hashes, above, ids, size, lora_id, medium, lora_name in stored:
                if lora_name != name:
                    continue
                self.assertEqual(size, 16)
                self.assertEqual(medium, "GPU")
                self.assertEqual(lora_id is None, name is None)
                self.assertEqual(above, parent)
                self.assertEqual(len(ids), size * len(hashes))
                parent = hashes[-1]
                told += ids
            whole = len(tokens) // 16 * 16
            self.assertGreater(whole, 16)
            self.assertEqual(told[:whole], tokens[:whole], name)
        hashes = [h for event in stored for h in event[1]]
        self.assertEqual(len(hashes), len(set(hashes)))  # the adapter's blocks are others

    @needs(settings.VENV_PYTHON, NO_ZMQ)
    def test_the_simulated_engine_tells_what_it_stores(self):
        self.start("--simulate=instant", "--served-model-name", "base", "--enable-lora", "--lora-modules", "sql=sql", "--seed", "1")
        self.check_told("base", "sql")

    @needs(settings.VENV_PYTHON, NO_ZMQ)
    def test_the_engine_that_computes_tells_the_same_way(self):
        model = settings.ROOT / "examples/models/demo-llama"
        self.start("--model", model, "--served-model-name", "base", "--enable-lora", "--max-loras", "2",
                   "--lora-modules", f"sql-lora={model.parent}/adapters/sql-lora")
        self.check_told("base", "sql-lora")

    @needs(settings.VENV_PYTHON, NO_ZMQ)
    def test_what_is_pushed_out_is_told_and_a_subscriber_hears_it(self):
        self.start("--simulate=instant", "--served-model-name", "base", "--num-gpu-blocks-override", "40", "--max-model-len", "512")
        self.complete("base", "one " * 300)
        eventually(self.heard_live, "a subscription that has arrived")
        stored, removed = set(), set()
        for number in range(6):
            self.complete("base", f"{number} " * 300, cache_salt="mine")
        for _, _, batch in self.subscriber.replay():
            for event in batch[1]:
                if event[0] == "BlockStored":
                    stored |= set(event[1])
                    if event[2] is None and event[3][0] != self.first_token:
                        self.assertEqual(event[8][0], ["mine"])
                if event[0] == "BlockRemoved":
                    self.assertLessEqual(set(event[1]), stored)
                    removed |= set(event[1])
        self.assertGreater(len(removed), 20)
        self.assertLessEqual(len(stored) - len(removed), 40)

    def heard_live(self):
        """A live message is a later one than all that was replayed."""
        before = self.subscriber.replay()
        self.first_token = before[0][2][1][0][3][0]
        self.complete("base", f"{len(before)} more " * 20)
        return any(number >= len(before) for _, number, _ in self.subscriber.all("live"))
