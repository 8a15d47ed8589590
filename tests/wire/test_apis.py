"""Every API that engines speak, routed by the model its body names: JSON and forms, streams and whole answers."""

import json
import subprocess

from harness import manifests
from harness.case import WireTest
from harness.client import json_body
from harness.engine import completion
from harness.process import eventually

GATEWAY = """apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: default}
spec:
  gatewayClassName: tidegate
  listeners: [{name: http, port: @PORT@, protocol: HTTP}]
"""

BY_MODEL = """apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: by-model, namespace: default}
spec:
  parentRefs: [{name: web}]
  rules:
  - matches: [{headers: [{name: X-Gateway-Base-Model-Name, value: qwen}]}]
    backendRefs: [{group: inference.networking.x-k8s.io, kind: InferencePool, name: qwen}]
  - matches:
    - headers: [{name: X-Gateway-Model-Name, type: RegularExpression, value: "llama.*"}]
    - headers: [{name: X-Gateway-Model-Name, value: lora-request}]
    - headers: [{name: X-Gateway-Model-Name, value: whisper}]
    backendRefs: [{group: inference.networking.x-k8s.io, kind: InferencePool, name: llama}]
"""

BASES = """apiVersion: v1
kind: ConfigMap
metadata: {name: qwen, namespace: default, labels: {inference.networking.k8s.io/bbr-managed: "true"}}
data:
  baseModel: qwen
  adapters: |
    - sql
    - tweets
"""


def form(boundary, **fields):
    body = b""
    for name, value in fields.items():
        extra = b'; filename="a.wav"\r\nContent-Type: audio/wav' if name == "file" else b""
        body += b"--" + boundary + b'\r\nContent-Disposition: form-data; name="' + name.encode() + b'"' + extra
        body += b"\r\n\r\n" + value + b"\r\n"
    return body + b"--" + boundary + b"--\r\n"


class ByModel(WireTest):
    def setUp(self):
        super().setUp()
        self.llama, self.qwen = self.engine(), self.engine()
        self.llama.names, self.qwen.names = ["llama-7b", "whisper"], ["qwen", "sql", "tweets"]
        self.gate = self.gateway({
            "gateway.yaml": GATEWAY, "route.yaml": BY_MODEL, "bases.yaml": BASES,
            "llama.yaml": manifests.pool([self.llama], name="llama"),
            "qwen.yaml": manifests.pool([self.qwen], name="qwen"),
            "model.yaml": manifests.model({"llama-7b": 1}, pool_name="llama")})
        eventually(lambda: len(self.listed()) == 6, "the models of both pools")

    def listed(self):
        return {model["id"] for model in self.gate.get("/v1/models").json()["data"]}

    def test_the_model_decides_the_pool_and_a_clients_header_does_not(self):
        for model, engine in (("llama-7b", self.llama), ("lora-request", self.llama), ("qwen", self.qwen),
                              ("sql", self.qwen)):
            before = len(engine.requests)
            answer = self.gate.completion(model=model, headers=[("X-Gateway-Model-Name", "qwen"),
                                                                ("X-Gateway-Base-Model-Name", "qwen")])
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(len(engine.requests), before + 1, model)
            self.assertIsNone(engine.requests[-1].header("x-gateway-model-name"))
        self.assertEqual(self.gate.completion(model="other").status, 404)
        self.assert_openai_error(self.gate.post("/v1/completions", "{broken"), 404)

    def test_models_of_all_rules_are_listed_once(self):
        self.assertEqual(self.listed(), {"llama-7b", "whisper", "lora-request", "qwen", "sql", "tweets"})
        self.assertEqual(self.gate.get("/v1/models/tweets").json()["id"], "tweets")
        self.assert_openai_error(self.gate.get("/v1/models/none"), 404, "model_not_found")

    def test_forms_are_routed_by_their_model_and_rewritten(self):
        script = self.llama.script
        self.llama.script = lambda request, reply: reply.json({"text": "the tide"})
        sent = form(b"xyz", file=b"RIFF\r\n\0\xff--xy", model=b"lora-request", response_format=b"json")
        answer = self.gate.ask(b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: t\r\nContent-Type: "
                               b"multipart/form-data; boundary=xyz\r\nContent-Length: "
                               + str(len(sent)).encode() + b"\r\n\r\n" + sent)
        self.assertEqual((answer.status, answer.json()), (200, {"text": "the tide"}))
        self.assertEqual(self.llama.requests[-1].body, sent.replace(b"lora-request", b"llama-7b"))
        done = subprocess.run(["curl", "-sS", "-F", "model=whisper", "-F", "file=@/dev/null;filename=a.wav",
                               f"http://127.0.0.1:{self.gate.port}/v1/audio/translations"],
                              capture_output=True, text=True, timeout=20, check=True)
        self.assertEqual(json.loads(done.stdout), {"text": "the tide"})
        self.llama.script = script

    def test_a_form_that_two_readers_may_read_differently_is_refused(self):
        twice = form(b"xyz", model=b"llama-7b").replace(b"--xyz--", b"") + form(b"xyz", model=b"sql")
        answer = self.gate.ask(b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: t\r\nContent-Type: "
                               b"multipart/form-data; boundary=xyz\r\nContent-Length: "
                               + str(len(twice)).encode() + b"\r\n\r\n" + twice)
        self.assertIn(answer.status, (400, 404))
        self.assertEqual(self.llama.requests + self.qwen.requests, [])


class Shapes(WireTest):
    def canary(self, script):
        engine = self.engine(script)
        gateway = self.gateway(manifests.canary([engine], {"sql-lora": 1}))
        return engine, gateway

    def test_embeddings_rerank_and_score_name_the_adapter(self):
        engine, gateway = self.canary(lambda request, reply: reply.json(
            {"object": "list", "data": [], "usage": {"prompt_tokens": 5, "total_tokens": 5}}))
        for path in ("/v1/embeddings", "/v1/rerank", "/v2/rerank", "/rerank", "/v1/score", "/score", "/v1/classify",
                     "/pooling", "/v1/images/generations", "/v1/audio/speech"):
            answer = gateway.post(path, json_body(model="lora-request", input="x"))
            self.assertEqual(answer.status, 200, path)
            self.assertEqual(engine.requests[-1].json()["model"], "sql-lora")
            self.assertEqual(engine.requests[-1].target, path)

    def test_responses_stream_as_they_came_and_are_counted(self):
        events = [{"type": "response.created", "response": {"id": "r", "usage": None}},
                  {"type": "response.output_text.delta", "delta": " the tide"},
                  {"type": "response.completed", "response": {
                      "id": "r", "usage": {"input_tokens": 7, "output_tokens": 12, "total_tokens": 19}}}]

        def script(request, reply):
            reply.start_stream()
            for event in events:
                reply.chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
            reply.end_stream(done=False)
        engine, gateway = self.canary(script)
        answer = gateway.post("/v1/responses", json_body(model="lora-request", input="x", stream=True))
        self.assertEqual([json.loads(data) for data in answer.events()], events)
        self.assertEqual(engine.requests[-1].json(), {"model": "sql-lora", "input": "x", "stream": True})
        eventually(lambda: gateway.metric("asm_llm_proxy_completion_tokens", model="sql-lora") == 12, "the count")
        self.assertEqual(gateway.metric("asm_llm_proxy_prompt_tokens", model="sql-lora"), 7)

    def test_messages_keep_anthropics_shape_in_answers_and_errors(self):
        events = [{"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 5, "output_tokens": 1}}},
                  {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " tide"}},
                  {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
                  {"type": "message_stop"}]

        def script(request, reply):
            dies = "dies" in request.json().get("system", "")
            if request.target.endswith("count_tokens"):
                reply.json({"input_tokens": 5})
                return
            reply.start_stream()
            for event in events[:2] if dies else events:
                reply.chunk(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
            if dies:
                reply.hang_up(reset=True)
            else:
                reply.end_stream(done=False)
        engine, gateway = self.canary(script)

        def ask(model="lora-request", **fields):
            return gateway.post("/v1/messages", json_body(model=model, max_tokens=9, stream=True, messages=[], **fields),
                                headers=[("anthropic-version", "2023-06-01"), ("x-api-key", "k")])
        answer = ask()
        self.assertEqual([json.loads(data) for data in answer.events()], events)
        self.assertEqual(engine.requests[-1].header("anthropic-version"), "2023-06-01")
        self.assertEqual(engine.requests[-1].header("x-api-key"), "k")
        eventually(lambda: gateway.metric("asm_llm_proxy_completion_tokens", model="sql-lora") == 9, "the count")
        self.assertEqual(gateway.metric("asm_llm_proxy_prompt_tokens", model="sql-lora"), 5)
        counted = gateway.post("/v1/messages/count_tokens", json_body(model="lora-request", messages=[]))
        self.assertEqual(counted.json(), {"input_tokens": 5})
        eventually(lambda: gateway.get("/v1/models").json()["data"][0]["id"] == "lora-request", "models")
        died = ask(system="dies")
        self.assertEqual(json.loads(died.events()[-1])["type"], "error")
        self.assertIn(b"event: error\n", died.body)
        self.assertNotIn(b"[DONE]", died.body)

    def test_refusals_of_messages_have_anthropics_shape(self):
        engine = self.engine()
        gateway = self.gateway(manifests.canary([engine], {"sql-lora": 1}))
        eventually(lambda: len(gateway.get("/v1/models").json()["data"]) > 1, "models")
        answer = gateway.post("/v1/messages", json_body(model="none", max_tokens=1, messages=[]))
        self.assertEqual(answer.status, 404)
        self.assertEqual(answer.json()["type"], "error")
        self.assertEqual(answer.json()["error"]["type"], "not_found_error")

    def test_hop_by_hop_and_control_headers_end_here(self):
        engine, gateway = self.canary(lambda request, reply: reply.json(
            completion("sql-lora"), headers=[("Connection", "x-hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=5")]))
        answer = gateway.completion(headers=[
            ("Connection", "x-mine, keep-alive"), ("X-Mine", "1"), ("TE", "trailers"), ("Upgrade", "h2c"),
            ("Proxy-Authorization", "Basic x"), ("X-Gateway-Destination-Endpoint", "10.0.0.1:80"),
            ("x-gateway-destination-endpoint-subset", "10.0.0.1:80"), ("X-LLM-D-Model-Name-Rewrite", "secret"),
            ("Authorization", "Bearer kept")])
        self.assertEqual(answer.status, 200)
        names = {name for name, _ in engine.requests[0].headers}
        gone = {"connection", "x-mine", "te", "upgrade", "proxy-authorization", "x-gateway-destination-endpoint",
                "x-gateway-destination-endpoint-subset", "x-llm-d-model-name-rewrite"}
        self.assertEqual(names & gone, set())
        self.assertIn("authorization", names)
        self.assertEqual({name for name, _ in answer.headers} & {"x-hop", "keep-alive"}, set())
