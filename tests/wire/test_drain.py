"""SIGTERM drains: requests in flight finish, new ones find nobody, and the program ends with 0."""

import signal
import socket
import threading

from harness import WireTest, eventually, json_body, manifests, post_bytes


class Drain(WireTest):
    def test_a_stream_in_flight_is_finished(self):
        go_on = threading.Event()

        def script(request, reply):
            reply.start_stream()
            reply.chunk(b'data: {"choices":[{"index":0,"text":" first"}]}\n\n')
            go_on.wait(20)
            reply.chunk(b'data: {"choices":[{"index":0,"text":" last"}]}\n\n')
            reply.end_stream()

        gateway = self.gateway(manifests.canary([self.engine(script)], {"sql-lora": 1}))
        with gateway.connect() as client:
            client.send(post_bytes("/v1/completions", json_body(model="lora-request", prompt="x", stream=True)))
            client.until(b" first")
            gateway.terminate()

            def refuses():
                try:
                    socket.create_connection(("127.0.0.1", gateway.port), timeout=1).close()
                    return False
                except OSError:
                    return True

            eventually(refuses, "new connections to be refused")
            go_on.set()
            client.until(b" last")
            client.until(b"[DONE]")
        self.assertEqual(gateway.process.wait(), 0)

    def test_idle_keep_alive_connections_do_not_hold_it(self):
        gateway = self.gateway(manifests.canary([self.engine()], {"sql-lora": 1}))
        with gateway.connect() as client:
            self.assertEqual(client.ask(post_bytes("/v1/completions", '{"model":"lora-request"}')).status, 200)
            gateway.terminate()
            self.assertEqual(gateway.process.wait(), 0)
            self.assertTrue(client.closed_by_peer())

    def test_sighup_is_survived(self):
        gateway = self.gateway(manifests.canary([self.engine()], {"sql-lora": 1}))
        gateway.process.signal(signal.SIGHUP)
        self.assertEqual(gateway.completion().status, 200)
        self.assertTrue(gateway.process.alive())
