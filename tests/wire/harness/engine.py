"""A scripted engine: answers like vLLM unless told otherwise, and remembers the bytes it was sent.

`engine.script` is a function of (request, reply) called on the connection's own thread for every POST; the default
answers a completion, or a stream if the body asks for one. GET /metrics, /health and /v1/models are answered from
`engine.metrics`.
"""

import contextlib
import itertools
import json
import socket
import threading
import time

from .client import Closed, Connection
from .process import free_port

_addresses = itertools.count(1)


def completion(model, prompt_tokens=5, completion_tokens=3):
    return {
        "id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": model,
        "choices": [{"index": 0, "text": " the tide", "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens + completion_tokens,
                  "completion_tokens": completion_tokens},
    }


class Request:
    def __init__(self, raw_head, body):
        self.raw_head = raw_head
        self.body = body
        start, *lines = raw_head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.method, self.target, self.version = start.split(" ")
        self.headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def header(self, name, default=None):
        return next((value for key, value in self.headers if key == name.lower()), default)

    def json(self):
        return json.loads(self.body)


class Reply:
    """What a script answers with. Sending to a gateway that has left raises OSError, which ends the script."""

    def __init__(self, connection, engine):
        self.connection = connection
        self.engine = engine
        self.sent = 0  # bytes

    def raw(self, data):
        self.connection.send(data)
        self.sent += len(data)

    def json(self, document, status="200 OK", headers=()):
        body = json.dumps(document).encode()
        lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def start_stream(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n")

    def chunk(self, data):
        self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def event(self, document):
        self.chunk(b"data: " + json.dumps(document).encode() + b"\n\n")

    def end_stream(self, done=True):
        if done:
            self.chunk(b"data: [DONE]\n\n")
        self.raw(b"0\r\n\r\n")

    def hang_up(self, reset=False):
        if reset:
            self.connection.reset()
        else:
            self.connection.close()

    def peer_left(self, seconds):
        """True if the gateway closes this connection within that time."""
        self.connection.socket.settimeout(seconds)
        return self.connection.closed_by_peer()


def polite(request, reply):
    """What vLLM does."""
    body = request.json()
    model = body.get("model", "")
    if not body.get("stream"):
        reply.json(completion(model))
        return
    options = body.get("stream_options") or {}
    reply.start_stream()
    for count, text in enumerate((" the", " tide", " turns"), 1):
        event = {"id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": model,
                 "choices": [{"index": 0, "text": text, "logprobs": None,
                              "finish_reason": "stop" if count == 3 else None}]}
        if options.get("continuous_usage_stats"):
            event["usage"] = {"prompt_tokens": 5, "total_tokens": 5 + count, "completion_tokens": count}
        elif options.get("include_usage"):
            event["usage"] = None
        reply.event(event)
    if options.get("include_usage"):
        reply.event({"id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": model,
                     "choices": [], "usage": {"prompt_tokens": 5, "total_tokens": 8, "completion_tokens": 3}})
    reply.end_stream()


class FakeEngine:
    def __init__(self, script=polite, host=None):
        number = next(_addresses)
        self.host = host or f"127.66.{number // 250}.{number % 250 + 1}"
        self.port = free_port(self.host)
        self.script = script
        self.tls = None  # an ssl.SSLContext to speak TLS with
        self.requests = []  # every POST, in order of arrival
        self.gauges = {"num_requests_running": 0, "num_requests_waiting": 0, "kv_cache_usage_perc": 0.0}
        self.names = ["base"]  # of models that are no adapters
        self.adapters = []
        self.failures = []  # exceptions of scripts other than a gateway that left
        self._lock = threading.Lock()
        self._connections = set()
        self._listener = None
        self.start()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def start(self):
        self._listener = socket.create_server((self.host, self.port), backlog=256)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self):
        """Refuses and cuts connections, as a killed pod does."""
        listener, self._listener = self._listener, None
        if listener:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        if self.tls:
            try:
                peer = self.tls.wrap_socket(peer, server_side=True)
            except OSError:
                return
        connection = Connection.__new__(Connection)
        connection.socket = peer
        connection.pending = b""
        peer.settimeout(None)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._connections.add(connection)
        try:
            while True:
                request = self._read(connection)
                if request.method == "GET":
                    self._get(request, Reply(connection, self))
                    continue
                with self._lock:
                    self.requests.append(request)
                self.script(request, Reply(connection, self))
        except (Closed, OSError, ValueError):
            pass
        except Exception as error:  # a broken script must fail its test, not hang it
            self.failures.append(error)
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    @staticmethod
    def _read(connection):
        raw_head = connection.until(b"\r\n\r\n")
        request = Request(raw_head, b"")
        if (request.header("transfer-encoding") or "").lower() == "chunked":
            while chunk := connection.read_chunk():
                request.body += chunk
        else:
            request.body = connection.exactly(int(request.header("content-length", "0")))
        return request

    def _get(self, request, reply):
        if request.target == "/metrics":
            body = self.metrics_text().encode()
            reply.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: "
                      + str(len(body)).encode() + b"\r\n\r\n" + body)
        elif request.target == "/v1/models":
            names = [*self.names, *self.adapters]
            reply.json({"object": "list", "data": [{"id": name, "object": "model", "created": 1700000000,
                                                    "owned_by": "vllm"} for name in names]})
        else:
            reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def metrics_text(self):
        lines = []
        for name, value in self.gauges.items():
            lines += [f"# TYPE vllm:{name} gauge", f'vllm:{name}{{model_name="base"}} {value}']
        running = ",".join(self.adapters)
        lines += ["# TYPE vllm:lora_requests_info gauge",
                  f'vllm:lora_requests_info{{max_lora="4",running_lora_adapters="{running}",'
                  f'waiting_lora_adapters=""}} {time.time()}']
        return "\n".join(lines) + "\n"
