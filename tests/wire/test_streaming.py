"""Streams: events pass as they come, the engine learns at once that the client has left, and usage is counted beside."""

import json
import threading
import time

from harness import Reply, WireTest, eventually, json_body, manifests, post_bytes

TARGET = {"sql-lora": 1}


def stream_request(**fields):
    return post_bytes("/v1/completions", json_body(model="lora-request", prompt="x", stream=True, **fields))


def token(text, **more):
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "sql-lora",
            "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": None}], **more}


class Streaming(WireTest):
    def test_an_event_reaches_the_client_before_the_next_is_made(self):
        go_on = threading.Semaphore(0)

        def script(request, reply: Reply):
            reply.start_stream()
            for i in range(5):
                self.assertTrue(go_on.acquire(timeout=20))
                reply.event(token(f" t{i}"))
            reply.end_stream()

        gateway = self.gateway(manifests.canary([self.engine(script)], TARGET))
        with gateway.connect() as client:
            client.send(stream_request())
            head = client.read_head()
            self.assertEqual(head.status, 200)
            self.assertTrue(head.header("content-type").startswith("text/event-stream"))
            for i in range(5):
                go_on.release()
                self.assertIn(f" t{i}".encode(), client.until(b"\n\n"))

    def test_events_pass_byte_for_byte(self):
        odd = [b'data:  {"choices": [ ],"x":"\\u0041"}\r\n\r\n', b": a comment\n\n", b'event: e\ndata: {"a":1}\n\n',
               b'data: {"obfuscation":"xyz","choices":[]}\n\n', b"data: [DONE]\n\n"]

        def script(request, reply):
            reply.start_stream()
            for piece in odd:
                for at in range(0, len(piece), 3):  # cut anywhere
                    reply.chunk(piece[at:at + 3])
            reply.end_stream(done=False)

        gateway = self.gateway(manifests.canary([self.engine(script)], TARGET))
        answer = gateway.ask(stream_request(stream_options={"include_usage": True}))
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.body, b"".join(odd))

    def test_a_client_that_leaves_cancels_the_engines_request(self):
        left = threading.Event()

        def script(request, reply):
            reply.start_stream()
            reply.event(token(" first"))
            if reply.peer_left(20):
                left.set()

        gateway = self.gateway(manifests.canary([self.engine(script)], TARGET))
        for leave in ("close", "reset"):
            left.clear()
            client = gateway.connect()
            client.send(stream_request())
            client.until(b" first")
            began = time.monotonic()
            getattr(client, leave)()
            self.assertTrue(left.wait(20), leave)
            self.assertLess(time.monotonic() - began, 1.0)

    def test_a_client_that_leaves_before_the_first_byte_cancels_too(self):
        left = threading.Event()

        def script(request, reply):
            if reply.peer_left(20):
                left.set()

        engine = self.engine(script)
        gateway = self.gateway(manifests.canary([engine], TARGET))
        client = gateway.connect()
        client.send(stream_request())
        eventually(lambda: engine.requests, "the request at the engine")
        client.close()
        self.assertTrue(left.wait(20))

    def test_usage_is_asked_for_and_kept_from_a_client_that_did_not(self):
        engine = self.engine()
        gateway = self.gateway(manifests.canary([engine], TARGET))
        answer = gateway.ask(stream_request())
        self.assertTrue(engine.requests[-1].json()["stream_options"]["include_usage"])
        events = answer.events()
        self.assertEqual(events[-1], "[DONE]")
        for event in map(json.loads, events[:-1]):
            self.assertTrue(event["choices"], event)
            self.assertIsNone(event.get("usage"))
        eventually(lambda: gateway.metric("asm_llm_proxy_completion_tokens") == 3, "three tokens counted")
        self.assertEqual(gateway.metric("asm_llm_proxy_prompt_tokens"), 5)

    def test_a_client_that_asks_for_usage_sees_it(self):
        gateway = self.gateway(manifests.canary([self.engine()], TARGET))
        events = gateway.ask(stream_request(stream_options={"include_usage": True})).events()
        last = json.loads(events[-2])
        self.assertEqual(last["choices"], [])
        self.assertEqual(last["usage"], {"prompt_tokens": 5, "total_tokens": 8, "completion_tokens": 3})

    def test_an_engine_that_dies_in_the_stream_ends_it_with_an_error_event(self):
        def script(request, reply):
            reply.start_stream()
            reply.event(token(" first"))
            reply.hang_up(reset=True)

        engines = [self.engine(script), self.engine(script)]
        gateway = self.gateway(manifests.canary(engines, TARGET))
        with gateway.connect() as client:
            client.send(stream_request())
            answer = client.read()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.events()[-1], "[DONE]")  # as vLLM ends a stream that failed
        error = json.loads(answer.events()[-2])["error"]
        self.assertTrue(error["message"])
        self.assertEqual(sum(len(engine.requests) for engine in engines), 1)  # never retried after a byte

    def test_a_client_that_does_not_read_holds_the_engine_back(self):
        progress = [0]
        stop = threading.Event()

        def script(request, reply):
            reply.start_stream()
            piece = token("x" * 16_000)
            while not stop.is_set() and reply.sent < 64 << 20:
                reply.event(piece)
                progress[0] = reply.sent

        gateway = self.gateway(manifests.canary([self.engine(script)], TARGET))
        client = gateway.connect(receive_buffer=64 * 1024)
        client.send(stream_request())
        client.read_head()

        def stalled():
            before = progress[0]
            time.sleep(0.5)
            return before > 0 and progress[0] == before

        eventually(stalled, "the engine to stop sending")
        self.assertLess(progress[0], 32 << 20)
        stop.set()
        client.close()

    def test_a_stream_that_the_engine_refuses_is_answered_as_it_said(self):
        def script(request, reply):
            reply.json({"object": "error", "message": "too long", "type": "BadRequestError", "param": None, "code": 400},
                       status="400 Bad Request")

        gateway = self.gateway(manifests.canary([self.engine(script)], TARGET))
        answer = gateway.ask(stream_request())
        self.assertEqual(answer.status, 400)
        self.assertIn("too long", answer.body.decode())
