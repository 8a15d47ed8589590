"""Engines that are no vLLM: where their metrics are, and how they are asked for an adapter."""

import json

from harness import manifests
from harness.case import WireTest
from harness.engine import FakeEngine, completion
from harness.process import eventually, free_port

from test_guard import bearer, secret


def cards(owner, base, adapters):
    return {"object": "list", "data": [{"id": base, "object": "model", "created": 1, "owned_by": owner, "root": base}] + [
        {"id": name, "object": "model", "created": 1, "owned_by": owner, "root": f"/adapters/{name}", "parent": base}
        for name in adapters]}


class Sglang(FakeEngine):
    """Looks at lora_path alone; any model's name will do."""

    def __init__(self, adapters):
        self.lost = []  # listed, and gone since
        self.busy = False
        super().__init__(self.answer)
        self.adapters = adapters

    def metrics_text(self):
        return 'sglang:num_queue_reqs{model_name="base"} 0\nsglang:num_running_reqs{model_name="base"} 0\n'

    def _get(self, request, reply):
        if request.target == "/v1/models":
            return reply.json(cards("sglang", "base", self.adapters))
        return super()._get(request, reply)

    def answer(self, request, reply):
        path = request.json().get("lora_path")
        if path in self.lost:
            return reply.json({"object": "error", "message": "The following requested LoRA adapters are not loaded: "
                               f"{{'{path}'}}\nLoaded adapters: set().", "type": "BadRequestError", "code": 400}, status="400 Bad Request")
        if self.busy:
            return reply.json({"object": "error", "message": "The request queue is full.", "code": 503}, status="503 Service Unavailable")
        reply.json({**completion(request.json()["model"]), "served": path or "base"})


class LlamaCpp(FakeEngine):
    """Has no metrics page unless asked for, and adapters by number; without "lora" all of them are on."""

    def __init__(self, adapters):
        super().__init__(self.answer)
        self.adapters = adapters

    def _get(self, request, reply):
        if request.target == "/v1/models":
            return reply.json(cards("llamacpp", "base", []))
        if request.target == "/lora-adapters":
            return reply.json([{"id": number, "path": f"/adapters/{name}.gguf", "scale": 1.0}
                               for number, name in enumerate(self.adapters)])
        return reply.json({"error": {"code": 501, "message": "no metrics", "type": "not_supported_error"}}, status="501 Not Implemented")

    def answer(self, request, reply):
        lora = request.json().get("lora")
        on = self.adapters if lora is None else [self.adapters[one["id"]] for one in lora if one["scale"] > 0]
        reply.json({**completion(request.json()["model"]), "served": "+".join(on) or "base"})


class TensorRtLlm(FakeEngine):
    def _get(self, request, reply):
        if request.target == "/metrics":
            return reply.json([{"iter": 1}])
        if request.target == "/prometheus/metrics":
            body = b"trtllm_num_requests_waiting 9\ntrtllm_num_requests_running 2\n"
            return reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)
        return super()._get(request, reply)


class Dialects(WireTest):
    def other(self, engine):
        self._engines.append(engine)
        return self.own(engine)

    def served(self, gateway, model, **more):
        answer = gateway.completion(model, **more)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json()["model"], model)
        return answer.json()["served"]

    def lists(self, gateway, *names):
        eventually(lambda: {*names} <= {card["id"] for card in gateway.get("/v1/models").json().get("data", [])},
                   f"{names} to be listed")

    def engine_of(self, gateway):
        return gateway.stats("/endpoints").json()[0]

    def test_sglang_is_told_the_adapter_and_never_asked_for_one_it_lacks(self):
        both, one = self.other(Sglang(["sql-lora", "tweet"])), self.other(Sglang(["tweet"]))
        gateway = self.gateway(manifests.canary([both, one], {"sql-lora": 1}))
        self.lists(gateway, "sql-lora", "tweet", "base")
        eventually(lambda: len(gateway.stats("/endpoints").body.decode().split('"sglang"')) == 3, "both to be known")
        for _ in range(20):
            self.assertEqual(self.served(gateway, "sql-lora"), "sql-lora")
            self.assertEqual(self.served(gateway, "tweet", lora_path="sql-lora"), "tweet")
            self.assertEqual(self.served(gateway, "base"), "base")
        self.assertNotIn("sql-lora", [request.json()["model"] for request in one.requests])
        self.assertTrue(one.requests)
        both.stop()
        eventually(lambda: gateway.completion("sql-lora").status == 503, "nobody to have the adapter")

    def test_an_adapter_that_was_lost_is_asked_for_elsewhere(self):
        first, second, third = self.other(Sglang(["sql-lora"])), self.other(Sglang(["sql-lora"])), self.other(Sglang(["tweet"]))
        gateway = self.gateway(manifests.canary([first, second, third], {"sql-lora": 1}))
        self.lists(gateway, "sql-lora", "tweet")
        eventually(lambda: len(gateway.stats("/endpoints").body.decode().split('"sglang"')) == 4, "all to be known")
        self.served(gateway, "sql-lora")
        if second.requests:  # the one that it was loaded on is asked first
            first, second = second, first
        first.lost = ["sql-lora"]
        asked = len(first.requests)

        def asked_in_vain():
            self.assertEqual(self.served(gateway, "sql-lora"), "sql-lora")
            return len(first.requests) > asked
        eventually(asked_in_vain, "the one that lost it to be asked")
        self.assertTrue(second.requests)
        second.lost = ["sql-lora"]
        answer = gateway.completion("sql-lora")
        self.assertIn(answer.status, (400, 404))  # by the retries that were left
        self.assertIn("not loaded", str(answer.body))
        first.lost = second.lost = []
        first.busy = second.busy = True  # and the third is nobody to go to
        eventually(lambda: gateway.completion("sql-lora").status == 503, "the engines' word")
        self.assertTrue(gateway.completion("sql-lora").body)
        self.assertNotIn("sql-lora", [request.json()["model"] for request in third.requests])

    def test_llama_cpp_is_told_the_adapters_number(self):
        engine = self.other(LlamaCpp(["sql-lora", "tweet"]))
        gateway = self.gateway(manifests.canary([engine], {"sql-lora": 1}))
        self.lists(gateway, "sql-lora", "tweet", "base")
        self.assertEqual(self.served(gateway, "sql-lora"), "sql-lora")
        self.assertEqual(self.served(gateway, "tweet", lora=[{"id": 0, "scale": 1}]), "tweet")
        self.assertEqual(self.served(gateway, "base"), "base")
        self.assertEqual(self.served(gateway, "base", lora=[{"id": 1, "scale": 1}]), "tweet")
        self.assertEqual(json.loads(gateway.completion("lora-request").body)["served"], "sql-lora")
        self.assertEqual(self.engine_of(gateway)["engine"], "llama.cpp")

    def test_a_key_for_some_models_opens_no_other_adapter(self):
        key = "sk-alice-000000000001"
        for engine, own in ((Sglang(["sql-lora"]), {"lora_path": "sql-lora"}),
                            (LlamaCpp(["sql-lora"]), {"lora": [{"id": 0, "scale": 1}]})):
            self.other(engine)
            files = manifests.canary([engine], {"sql-lora": 1}, annotations={"tidegate.dev/api-keys": "required"})
            files["keys.yaml"] = secret("keys", {"alice": key}, models="base")
            gateway = self.gateway(files)
            eventually(lambda: "base" in str(gateway.ask(
                f"GET /v1/models HTTP/1.1\r\nHost: test.com\r\nx-api-key: {key}\r\n\r\n".encode()).body), "the model to be listed")
            self.assertEqual(self.served(gateway, "base", headers=bearer(key), **own), "base")
            gateway.stop()

    def test_the_annotation_says_what_the_engine_does_not(self):
        engine = self.other(Sglang(["sql-lora"]))
        gateway = self.gateway(manifests.canary([engine], {"sql-lora": 1}, annotations={"tidegate.dev/engine": "vllm"}))
        self.lists(gateway, "sql-lora")
        self.assertEqual(self.served(gateway, "sql-lora"), "base")  # so it was told, and so it asks
        self.assertEqual(self.engine_of(gateway)["engine"], "vllm")

    def test_tensorrt_llms_page_is_found(self):
        for annotations in ({}, {"tidegate.dev/engine": "tensorrt-llm"}):
            engine = self.other(TensorRtLlm())
            gateway = self.gateway(manifests.canary([engine], {"base": 1}, annotations=annotations))
            eventually(lambda: self.engine_of(gateway)["waiting"] == 9, "its page to be read")
            self.assertEqual(self.engine_of(gateway)["engine"], "tensorrt-llm")
            gateway.stop()
