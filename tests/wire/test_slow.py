"""Slow, idle and endless peers cost little and harm nobody: clients that dribble, connections that wait, lines without an end.

A few hundred here. TIDEGATE_SLOW=2000 and TIDEGATE_IDLE=10000 take that many and hold the figures to what is promised; they
print what they saw.
"""

import os
import pathlib
import resource
import select
import sys
import time

from harness import WireTest, eventually, json_body, manifests, post_bytes, slow
from harness.process import Process

SLOW = int(os.environ.get("TIDEGATE_SLOW", "300"))
IDLE = int(os.environ.get("TIDEGATE_IDLE", "1000"))
IDLE_BYTES_MAX = 10 * 1024
DRIBBLE = pathlib.Path(__file__).resolve().parent / "harness" / "dribble.py"
HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: test.com\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1 << 20

# What a client sends without end: the beginning, what is repeated, what it is answered.
ENDLESS = {
    "header lines": (HEAD, b"a: b\r\n" * 100, {431}),
    "one header line": (HEAD + b"X-A: ", b"a" * 1000, {431}),
    "a target": (b"POST /v1/", b"a" * 1000, {414}),
    "a method": (b"", b"A" * 1000, {400, 414, 431}),
    "a chunk's extension": (CHUNKED + b"5;a=", b"b" * 1000, {400, 413, 431}),
    "a chunk's size": (CHUNKED, b"0" * 1000, {400, 413, 431}),
    "trailers": (CHUNKED + b"0\r\n", b"X-T: 1\r\n" * 100, {400, 413, 431}),
    "one trailer": (CHUNKED + b"0\r\nX-T: ", b"a" * 1000, {400, 413, 431}),
}


def many_files(test, count):
    wanted = count + 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        test.skipTest(f"{count} connections need {wanted} open files; the limit is {hard}")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class SlowPeers(WireTest):
    def start(self):
        self.one = self.engine()
        self.door = self.gateway(manifests.canary([self.one], {"sql-lora": 1}))
        eventually(lambda: self.door.completion("nobody").status == 404, "what the engine serves to be known")
        self.one.requests.clear()

    def memory(self):
        """Bytes of the gateway that are in memory."""
        status = pathlib.Path(f"/proc/{self.door.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def waits(self, seconds):
        """How long each request took, one after the other on one connection for so long."""
        data = post_bytes("/v1/completions", json_body(model="lora-request", prompt="x", max_tokens=3))
        took = []
        with self.door.connect() as client:
            end = time.monotonic() + seconds
            while (began := time.monotonic()) < end:
                self.assertEqual(client.ask(data).status, 200)
                took.append(time.monotonic() - began)
        return took

    def test_clients_that_dribble_do_not_slow_others(self):
        many_files(self, SLOW)
        self.start()
        long_form = SLOW >= 1000
        seconds = 12.0 if long_form else 0.5  # in a long one every head is given up once, and comes again
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-4)  # the scripted engine runs in this process: its turns are not to be what is measured
        warm = self.waits(0.1)
        alone, beside = [], []
        for _ in range(2):
            alone += self.waits(seconds)
            dribble = self.own(Process([sys.executable, DRIBBLE, self.door.port, SLOW, 1.0], self.folder, "dribble"))
            eventually(lambda: dribble.log().startswith("ready"), "the slow connections to be open", seconds=60)
            beside += self.waits(seconds)
            self.assertTrue(dribble.alive(), dribble.log())
            dribble.child.kill()
            dribble.wait()
            eventually(lambda: self.door.metric("tidegate_client_connections") == 0, "the slow connections to be gone")
        p99, p99_alone = percentile(beside, 0.99), percentile(alone, 0.99)
        print(f"{SLOW} slow connections: p50 {percentile(alone, 0.5) * 1e3:.2f} ms alone, {percentile(beside, 0.5) * 1e3:.2f} ms beside; "
              f"p99 of {len(alone)} {p99_alone * 1e3:.2f} ms alone, {p99 * 1e3:.2f} ms beside, {p99 / p99_alone:.2f} times")
        # A few hundred requests on a shared machine say little of the last of a hundred.
        self.assertLess(p99, 1.5 * p99_alone + (0 if long_form else 0.02))
        self.assertEqual(len(self.one.requests), len(warm) + len(alone) + len(beside))

    def test_idle_connections_are_small(self):
        many_files(self, IDLE)
        self.start()
        self.waits(0.1)
        before = self.memory()
        request = b"GET /v1/models HTTP/1.1\r\nHost: test.com\r\n\r\n"
        clients = []
        try:
            for number in range(IDLE):  # every other has sent nothing yet
                clients.append(self.door.connect())
                if number % 2:
                    self.assertEqual(clients[-1].ask(request).status, 200)
            each = (self.memory() - before) / IDLE
            self.assertEqual(self.door.completion().status, 200)
        finally:
            for client in clients:
                client.close()
        print(f"{IDLE} idle connections: {each:.0f} bytes each")
        self.assertLess(each, IDLE_BYTES_MAX)

    def test_what_a_client_sends_without_end_is_refused(self):
        self.start()
        before = self.memory()
        for name, (begin, again, wanted) in ENDLESS.items():
            with self.subTest(name), self.door.connect() as client:
                sent = 0
                client.send(begin)
                while sent < 64 * MIB and not select.select([client.socket], [], [], 0)[0]:
                    try:
                        client.send(again)
                    except OSError:
                        break
                    sent += len(again)
                self.assertLess(sent, 4 * MIB)  # more than fits into sockets' buffers on the way
                self.assertIn(client.read().status, wanted)
        self.assertEqual(self.one.requests, [])
        self.assertLess(self.memory() - before, 32 * MIB)

    def endless_engine(self, begin, again):
        """What the client gets of an engine that answers so, and how much the engine could send."""
        sent = [0]

        def script(_, reply):
            reply.raw(begin)
            try:
                while reply.sent < 256 * MIB:
                    reply.raw(again)
                    sent[0] = reply.sent
            finally:
                reply.hang_up()

        self.start()
        self.one.script = script
        before = self.memory()
        answer = self.door.completion(stream=True)
        self.assertLess(sent[0], 64 * MIB)
        self.assertLess(self.memory() - before, 64 * MIB)
        self.assertEqual(len(self.one.requests), 1)
        return answer

    def test_an_event_without_end_ends_the_stream_with_an_error(self):
        begin = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:\r\n"
        answer = self.endless_engine(begin, b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        self.assertEqual(answer.status, 200)
        self.assertIn('"error"', answer.events()[0])
        self.assertEqual(answer.events()[-1], "[DONE]")
        self.assertLess(len(answer.body), 4096)

    def test_an_engines_head_without_end_is_a_502(self):
        self.assertEqual(self.endless_engine(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000).status, 502)

    def test_an_engines_chunk_line_without_end_ends_the_stream_with_an_error(self):
        begin = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5;a="
        answer = self.endless_engine(begin, b"b" * 65536)
        self.assertIn(answer.status, (200, 502))
        if answer.status == 200:
            self.assertIn('"error"', answer.events()[0])

    @slow
    def test_a_head_that_dribbles_is_given_up(self):
        self.start()
        with self.door.connect() as letters, self.door.connect() as lines:
            letters.send(HEAD + b"X-A: ")
            lines.send(HEAD)
            began = time.monotonic()
            ended = {}
            while len(ended) < 2 and time.monotonic() - began < 20:
                for client, piece in ((letters, b"x"), (lines, b"X-B: c\r\n")):
                    if client in ended:
                        continue
                    client.socket.settimeout(0.2)
                    try:
                        client.send(piece)
                        ended[client] = (client.read().status, time.monotonic() - began)
                    except TimeoutError:
                        pass
            for client in (letters, lines):
                status, after = ended.get(client, (None, 0))
                self.assertEqual(status, 408)
                self.assertGreater(after, 8)
                self.assertLess(after, 14)
