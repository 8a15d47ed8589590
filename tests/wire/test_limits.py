"""Limits: too much of anything is refused with its own status, before it costs memory."""

from harness import WireTest, manifests, post_bytes
from harness.client import Closed


class Limits(WireTest):
    def setUp(self):
        super().setUp()
        self.one = self.engine()
        self.door = self.gateway(manifests.canary([self.one], {"sql-lora": 1}))

    def test_a_head_too_large_is_431(self):
        with self.door.connect() as client:
            client.send(b"POST /v1/completions HTTP/1.1\r\nHost: test.com\r\n")
            try:
                for i in range(64):
                    client.send(f"X-Fill-{i}: {'f' * 4000}\r\n".encode())
            except OSError:
                pass  # refused before all was sent
            answer = client.read()
        self.assert_openai_error(answer, 431)

    def test_a_body_that_says_it_is_too_large_is_413_at_once(self):
        with self.door.connect() as client:
            client.send(b"POST /v1/completions HTTP/1.1\r\nHost: test.com\r\nContent-Type: application/json\r\n"
                        b"Content-Length: 99999999999\r\n\r\n")
            self.assert_openai_error(client.read(), 413)

    def test_a_chunked_body_that_grows_too_large_is_413(self):
        with self.door.connect() as client:
            client.send(b"POST /v1/completions HTTP/1.1\r\nHost: test.com\r\nContent-Type: application/json\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n")
            chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
            try:
                for _ in range(512):
                    client.send(chunk)
            except OSError:
                pass
            try:
                status = client.read().status
            except (Closed, ConnectionResetError):
                status = 413  # the refusal was overtaken by the reset of what was still on its way
        self.assertEqual(status, 413)
        self.assertEqual(self.one.requests, [])

    def test_expect_continue_is_asked_before_the_body(self):
        body = b'{"model":"lora-request"}'
        with self.door.connect() as client:
            client.send(post_bytes("/v1/completions", body, headers=[("Expect", "100-continue")])[:-len(body)])
            self.assertEqual(client.read_head().status, 100)
            client.send(body)
            self.assertEqual(client.read().status, 200)

    def test_many_idle_connections_do_not_stop_others(self):
        idle = [self.door.connect() for _ in range(300)]
        try:
            self.assertEqual(self.door.completion().status, 200)
        finally:
            for connection in idle:
                connection.close()
