"""Mutated requests through the gateway to a strict reader: nothing arrives that the strict reader does not find in what was sent.

Each pipeline goes over a connection of its own. What arrives at the engine must be among the requests that the strict reader
finds in those bytes, with the same method, target, body and fields of the client's (X-...), each no more often than it was sent;
whatever the gateway writes must be a request to the strict reader too. Two thousand pipelines here, from a fixed seed;
TIDEGATE_MUTATIONS=120s mutates for that long from a seed by the clock, TIDEGATE_MUTATION_SEED=N from that one. It prints what it saw.
"""

import collections
import os
import random
import selectors
import socket
import time

from harness import WireTest, manifests, mutations, strict_http

LONG = os.environ.get("TIDEGATE_MUTATIONS", "")
COUNT = 2000
BATCH = 64
PATIENCE_S = 5.0  # for an answer or the end, where the strict reader says that one is due
REFUSAL_S = 0.1  # for the end of what the strict reader refuses: the gateway may wait for the line's end before it does
LATE = 16  # batches: on a busy machine a request may arrive when its client has gone

METRICS = b"# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 0\nvllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0\n"


def http_answer(body, kind=b"application/json"):
    return b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(body), body)


class Engine:
    """Reads strictly and answers at once; driven by the loop."""

    def __init__(self, selector):
        self.selector = selector
        self.listener = socket.create_server(("127.77.0.1", 0), backlog=512)
        self.listener.setblocking(False)
        self.address = "127.77.0.1:%d" % self.listener.getsockname()[1]
        self.own_host = self.address.encode()
        self.arrived, self.broken = [], []
        self.open = set()
        selector.register(self.listener, selectors.EVENT_READ, self.accept)

    def accept(self, _):
        peer, _ = self.listener.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open.add(peer)
        data = bytearray()
        self.selector.register(peer, selectors.EVENT_READ, lambda it: self.feed(it, data))

    def feed(self, peer, data):
        try:
            got = peer.recv(1 << 18)
            data += got
            while data:
                found = strict_http.read(bytes(data))
                if found is strict_http.NEED:
                    break
                del data[:found[1]]
                peer.sendall(self.answer(found[0]))
        except strict_http.Bad as error:
            self.broken.append((str(error), bytes(data[:300])))
            got = b""
        except OSError:
            got = b""
        if not got:
            self.selector.unregister(peer)
            self.open.discard(peer)
            peer.close()

    def answer(self, request):
        if request.method == b"GET" and request.values(b"host") == [self.own_host] and not request.values(b"x-part"):
            if request.target == b"/v1/models":
                return http_answer(b'{"object":"list","data":[{"id":"lora-request","object":"model"}]}')
            return http_answer(METRICS, b"text/plain")
        self.arrived.append(request)
        answer = http_answer(b"{}")
        return answer[:-2] if request.method == b"HEAD" else answer

    def stop(self):
        for peer in self.open:
            peer.close()
        self.listener.close()


class Client:
    """One pipeline and how many final answers came to it."""

    def __init__(self, selector, port, data):
        self.selector, self.data = selector, data
        self.requests, self.outcome = strict_http.read_all(data)
        self.answers, self.pending, self.closed = [], b"", False
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # no TIME_WAIT: ports are few
        self.socket.sendall(data)
        selector.register(self.socket, selectors.EVENT_READ, self.feed)

    def done(self):
        if self.closed:
            return True
        return self.outcome in ("clean", "unfinished") and len(self.answers) >= len(self.requests)

    def feed(self, _):
        try:
            got = self.socket.recv(1 << 16)
        except OSError:
            got = b""
        self.pending += got
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            head = self.pending[:end].lower()
            status = int(head[9:12])
            size = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            number = len(self.answers)
            if status < 200 or (number < len(self.requests) and self.requests[number].method == b"HEAD"):
                size = 0
            if len(self.pending) < end + 4 + size:
                break
            self.pending = self.pending[end + 4 + size:]
            if status >= 200:
                self.answers.append(status)
        if not got:
            self.closed = True
            self.selector.unregister(self.socket)

    def close(self):
        if not self.closed:
            self.selector.unregister(self.socket)
        self.socket.close()


def key(request):
    """What may not change on the way. Fields that Connection names are for the next hop only."""
    names = {name for name, _ in request.fields if name.startswith(b"x-") and name not in request.options()}
    names -= {b"x-request-id", b"x-forwarded-for", b"x-forwarded-proto"}
    target = request.target
    if not target.startswith(b"/") and b"://" in target:
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    return request.method, target, request.body, tuple(sorted((name, value) for name, value in request.fields if name in names))


class Mutations(WireTest):
    def setUp(self):
        super().setUp()
        self.selector = selectors.DefaultSelector()
        self.addCleanup(self.selector.close)
        self.peer = self.own(Engine(self.selector))
        self.door = self.gateway(manifests.canary([self.peer], {"lora-request": 1}))
        self.seen = collections.Counter()
        self.sent = collections.deque(maxlen=LATE)  # what may still arrive, by batch
        # The engine answers nothing before the loop turns: let the gateway find it.
        end = time.monotonic() + 20
        probe = b'POST /v1/completions HTTP/1.1\r\nHost: test.com\r\nContent-Length: 24\r\n\r\n{"model":"lora-request"}'
        while self.exchange([probe])[0].answers != [200]:
            self.assertLess(time.monotonic(), end, "the engine was not found")
            time.sleep(0.02)
        self.peer.arrived.clear()

    def turn(self, seconds):
        events = self.selector.select(seconds)
        for event, _ in events:
            event.data(event.fileobj)
        return bool(events)

    def exchange(self, pipelines):
        """Sends each over its own connection, all at once, and waits until all is answered that should be."""
        clients = [Client(self.selector, self.door.port, data) for data in pipelines]
        began = time.monotonic()
        while (waited := time.monotonic() - began) < PATIENCE_S:
            if all(client.done() or (client.outcome == "bad" and waited > REFUSAL_S) for client in clients):
                break
            self.turn(0.01)
        while self.turn(0.002):  # what is still on its way arrives now
            pass
        for client in clients:
            client.close()
        return clients

    def judge(self, clients, seed):
        self.sent.append(collections.Counter(key(request) for client in clients for request in client.requests))
        extra = collections.Counter()
        for request in map(key, self.peer.arrived):
            batch = next((batch for batch in reversed(self.sent) if batch[request] > 0), extra)
            batch[request] += 1 if batch is extra else -1
        said = sum(status == 200 for client in clients for status in client.answers)
        self.assertEqual(self.peer.broken, [], f"the gateway wrote what is no request; seed {seed}")
        self.assertFalse(extra, f"seed {seed}: arrived but was not sent: {extra}")
        self.assertLessEqual(said, len(self.peer.arrived), f"seed {seed}: more answers than requests")
        self.seen["pipelines"] += len(clients)
        self.seen["requests valid"] += sum(len(client.requests) for client in clients)
        self.seen["requests arrived"] += len(self.peer.arrived)
        for client in clients:
            self.seen[f"pipelines {client.outcome}"] += 1
            self.seen["refused"] += sum(status >= 400 for status in client.answers)
            self.seen["without an answer in time"] += not client.done()
        self.peer.arrived.clear()

    def test_what_arrives_was_sent(self):
        seconds = float(LONG.rstrip("s")) if LONG else None
        seed = int(os.environ.get("TIDEGATE_MUTATION_SEED", time.time() if LONG else 20240611))
        chance = random.Random(seed)
        began, number = time.monotonic(), 0
        while (time.monotonic() - began < seconds) if seconds else number < COUNT:
            batch = [mutations.pipeline(chance, f"{number + i}") for i in range(BATCH)]
            number += BATCH
            self.seen["requests made"] += sum(count for _, count in batch)
            self.judge(self.exchange([data for data, _ in batch]), seed)
        self.assertGreater(self.seen["requests arrived"], number // 4)  # the test reaches the engine
        self.assertGreater(self.seen["refused"], number // 8)
        self.assertEqual(self.door.process.alive(), True)
        print(f"seed {seed}, {time.monotonic() - began:.0f} s: " + ", ".join(f"{self.seen[name]} {name}" for name in sorted(self.seen)))
