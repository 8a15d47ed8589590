"""What goes wrong is answered with the right status and an OpenAI error object, and an engine's failure costs one retry."""

import threading

from harness import WireTest, eventually, json_body, manifests, post_bytes
from harness.engine import completion, polite

TARGET = {"sql-lora": 1}


class BadRequests(WireTest):
    def setUp(self):
        super().setUp()
        self.one = self.engine()
        self.door = self.gateway(manifests.canary([self.one], TARGET))

    def test_a_body_that_is_not_json_is_400(self):
        for body in ("", "{", "[]", '"text"', '{"model":"lora-request"', '{"model":"lora-request"} x', "\xff\xfe",
                     '{"model":"lora-request",}'):
            with self.subTest(body=body):
                self.assert_openai_error(self.door.post("/v1/completions", body.encode("latin-1")), 400)
        self.assertEqual(self.one.requests, [])

    def test_a_repeated_or_disguised_model_is_400(self):
        for body in ('{"model":"lora-request","model":"sql-lora"}', '{"model":"a","m\\u006fdel":"lora-request"}',
                     '{"m\\u006fdel":"lora-request"}'):
            with self.subTest(body=body):
                self.assert_openai_error(self.door.post("/v1/completions", body), 400)
        self.assertEqual(self.one.requests, [])

    def test_a_model_that_is_no_text_or_missing_is_400(self):
        for body in ('{"model":7}', '{"model":null}', '{"model":["lora-request"]}', '{"prompt":"x"}', '{"model":""}'):
            with self.subTest(body=body):
                self.assert_openai_error(self.door.post("/v1/completions", body), 400)

    def test_an_unknown_model_is_404(self):
        eventually(lambda: self.door.completion("nobody").status == 404, "what the engine serves to be known")
        self.assert_openai_error(self.door.completion("nobody"), 404, "model_not_found")

    def test_an_unknown_host_is_404(self):
        self.assertEqual(self.door.completion(host="elsewhere.com").status, 404)

    def test_engine_administration_is_not_reachable(self):
        for path in ("/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/sleep", "/metrics", "/pause"):
            with self.subTest(path=path):
                answer = self.door.post(path, json_body(model="lora-request", lora_name="x", lora_path="/x"))
                self.assertEqual(answer.status, 404, answer)
        self.assertEqual(self.one.requests, [])

    def test_the_connection_lives_on_after_a_refusal(self):
        eventually(lambda: self.door.completion("nobody").status == 404, "what the engine serves to be known")
        with self.door.connect() as client:
            self.assertEqual(client.ask(post_bytes("/v1/completions", '{"model":"nobody"}')).status, 404)
            self.assertEqual(client.ask(post_bytes("/v1/completions", "{")).status, 400)
            self.assertEqual(client.ask(post_bytes("/v1/completions", '{"model":"lora-request"}')).status, 200)


class Models(WireTest):
    def test_the_list_names_logical_names_and_adapters(self):
        engine = self.engine()
        engine.adapters = ["sql-lora", "tweet-summary"]
        gateway = self.gateway(manifests.canary([engine], {"sql-lora": 1, "tweet-summary": 1}))
        eventually(lambda: "tweet-summary" in gateway.get("/v1/models").body.decode(), "the engine's adapters to be listed")
        answer = gateway.get("/v1/models")
        self.assertEqual(answer.status, 200, answer)
        listed = answer.json()
        self.assertEqual(listed["object"], "list")
        names = {entry["id"] for entry in listed["data"]}
        self.assertLessEqual({"lora-request", "sql-lora", "tweet-summary"}, names)
        for entry in listed["data"]:
            self.assertLessEqual({"id", "object", "created", "owned_by"}, set(entry))


class EngineFailures(WireTest):
    def test_no_endpoint_is_503(self):
        gateway = self.gateway({**manifests.canary([], TARGET), "pool.yaml": manifests.pool([])})
        answer = gateway.completion()
        self.assert_openai_error(answer, 503)

    def test_an_engine_that_refuses_connections_is_passed_over(self):
        dead, alive = self.engine(), self.engine()
        dead.stop()
        gateway = self.gateway(manifests.canary([dead, alive], TARGET))
        for _ in range(20):
            self.assertEqual(gateway.completion().status, 200)

    def test_a_request_that_kills_an_engine_is_retried_once_only(self):
        def die(request, reply):
            reply.hang_up(reset=True)

        engines = [self.engine(die) for _ in range(4)]
        gateway = self.gateway(manifests.canary(engines, TARGET))
        answer = gateway.completion()
        self.assertIn(answer.status, (502, 503))
        self.assert_openai_error(answer, answer.status)
        self.assertEqual(sorted(len(engine.requests) for engine in engines), [0, 0, 1, 1])

    def test_the_retry_goes_to_another_engine_and_succeeds(self):
        lock = threading.Lock()
        died = []

        def die_once(request, reply):
            with lock:
                first = not died
                died.append(1)
            if first:
                reply.hang_up()
            else:
                polite(request, reply)

        engines = [self.engine(die_once) for _ in range(3)]
        gateway = self.gateway(manifests.canary(engines, TARGET))
        answer = gateway.completion()
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(sorted(len(engine.requests) for engine in engines), [0, 1, 1])

    def test_an_idle_connection_that_the_engine_closed_is_no_failure(self):
        def answer_and_close(request, reply):
            reply.json(completion("sql-lora"))
            reply.hang_up()

        gateway = self.gateway(manifests.canary([self.engine(answer_and_close)], TARGET))
        for _ in range(50):
            self.assertEqual(gateway.completion().status, 200)

    def test_what_the_engine_answers_passes_unchanged(self):
        def refuse(request, reply):
            reply.json({"error": {"message": "context too long", "type": "BadRequestError", "param": None, "code": 400}},
                       status="400 Bad Request", headers=[("x-engine-says", "no")])

        gateway = self.gateway(manifests.canary([self.engine(refuse)], TARGET))
        answer = gateway.completion()
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.json()["error"]["message"], "context too long")
        self.assertEqual(answer.header("x-engine-says"), "no")

    def test_an_engine_that_speaks_nonsense_is_502(self):
        def nonsense(request, reply):
            reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")

        gateway = self.gateway(manifests.canary([self.engine(nonsense)], TARGET))
        self.assert_openai_error(gateway.completion(), 502)

    def test_an_engine_that_stops_inside_its_answer_does_not_pass_for_a_whole_one(self):
        def half(request, reply):
            reply.raw(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"id":')
            reply.hang_up()

        gateway = self.gateway(manifests.canary([self.engine(half)], TARGET))
        with gateway.connect() as client:
            client.send(post_bytes("/v1/completions", '{"model":"lora-request"}'))
            client.read_head()
            self.assertEqual(client.exactly(6), b'{"id":')
            self.assertTrue(client.closed_by_peer())

    def test_control_headers_of_a_client_do_not_reach_the_engine(self):
        engine = self.engine()
        gateway = self.gateway(manifests.canary([engine], TARGET))
        gateway.completion(headers=[("x-gateway-destination-endpoint", "10.0.0.1:1"), ("x-llm-d-x", "1"), ("x-mine", "2")])
        request = eventually(lambda: engine.requests and engine.requests[-1], "the request")
        self.assertIsNone(request.header("x-gateway-destination-endpoint"))
        self.assertIsNone(request.header("x-llm-d-x"))
        self.assertEqual(request.header("x-mine"), "2")
        self.assertIsNotNone(request.header("x-request-id"))

    def test_a_trace_goes_on_through_the_gateway(self):
        engine = self.engine()
        gateway = self.gateway(manifests.canary([engine], TARGET))
        trace = "0af7651916cd43dd8448eb211c80319c"
        gateway.completion(headers=[("traceparent", f"00-{trace}-b7ad6b7169203331-01")])
        version, passed, span, flags = engine.requests[-1].header("traceparent").split("-")
        self.assertEqual((version, passed, flags), ("00", trace, "01"))
        self.assertEqual(len(span), 16)
