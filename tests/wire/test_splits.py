"""Weights: requests for one model name go to the adapters in their shares, and nothing but the name is changed."""

import json
import math
from collections import Counter

from harness import WireTest, manifests, post_bytes

TEN = {f"{name}{suffix}": 10 for name in ("sql-lora", "tweet-summary") for suffix in ("", "-1", "-2", "-3", "-4")}


def impossible_by_chance(served, weights):
    """True if chi-square is beyond what one run in a million shows (Wilson and Hilferty's approximation)."""
    total = sum(served.values())
    shares = {name: weight / sum(weights.values()) for name, weight in weights.items()}
    square = sum((served[name] - share * total) ** 2 / (share * total) for name, share in shares.items())
    freedom = len(weights) - 1
    normal = ((square / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return normal > 4.75


class Splits(WireTest):
    def serve(self, gateway, count):
        served = Counter()
        with gateway.connect() as connection:
            for _ in range(count):
                answer = connection.ask(post_bytes("/v1/completions", '{"model":"lora-request","prompt":"x"}'))
                self.assertEqual(answer.status, 200, answer)
                served[answer.json()["model"]] += 1
        return served

    def test_ten_adapters_share_alike_over_one_connection(self):
        gateway = self.gateway(manifests.canary(self.engines(2), TEN))
        served = self.serve(gateway, 1000)
        self.assertEqual(set(served), set(TEN))
        self.assertFalse(impossible_by_chance(served, TEN), served)

    def test_a_canary_of_a_tenth_gets_a_tenth(self):
        weights = {"stable": 90, "canary": 10}
        gateway = self.gateway(manifests.canary(self.engines(1), weights))
        served = self.serve(gateway, 1000)
        self.assertFalse(impossible_by_chance(served, weights), served)

    def test_targets_without_weights_share_alike(self):
        gateway = self.gateway(manifests.canary(self.engines(1), {"a": None, "b": None}))
        served = self.serve(gateway, 600)
        self.assertFalse(impossible_by_chance(served, {"a": 1, "b": 1}), served)

    def test_a_model_without_targets_keeps_its_name(self):
        gateway = self.gateway(manifests.canary(self.engines(1), {}))
        self.assertEqual(self.serve(gateway, 5), {"lora-request": 5})

    def test_only_the_name_is_replaced_in_the_body(self):
        engine = self.engine()
        gateway = self.gateway(manifests.canary([engine], {"sql-lora-longer-name": 1}))
        bodies = [
            '{"model":"lora-request","prompt":"x"}',
            '{ "prompt" : "\\u00e9 \u00e9 \\"model\\":\\"lora-request\\"",\n\t"model"  :  "lora-request" , "n":1e0}',
            '{"nested":{"model":"lora-request"},"seed":9007199254740993,"model":"lora-request","x":1.0}',
            '{"model":"lora-request","messages":[{"role":"user","content":"model"}],"temperature":0.10}',
        ]
        for body in bodies:
            answer = gateway.post("/v1/completions", body)
            self.assertEqual(answer.status, 200, answer)
            expected = body.encode()
            at = expected.rindex(b'"lora-request"') if body.startswith("{ ") or "nested" in body else \
                expected.index(b'"lora-request"')
            expected = expected[:at] + b'"sql-lora-longer-name"' + expected[at + len(b'"lora-request"'):]
            self.assertEqual(engine.requests[-1].body, expected)

    def test_a_chunked_body_is_understood_wherever_it_is_cut(self):
        engine = self.engine()
        gateway = self.gateway(manifests.canary([engine], {"sql-lora": 1}))
        body = b'{"prompt":"tide","model":"lora-request","max_tokens":3}'
        for size in (1, 2, 7, 30, len(body)):
            pieces = [body[i:i + size] for i in range(0, len(body), size)]
            data = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"
            answer = gateway.ask(post_bytes("/v1/completions", data, length=False,
                                            headers=[("Transfer-Encoding", "chunked")]))
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(engine.requests[-1].json()["model"], "sql-lora")
            self.assertEqual(engine.requests[-1].body, body.replace(b"lora-request", b"sql-lora"))

    def test_a_large_prompt_arrives_whole(self):
        engine = self.engine()
        gateway = self.gateway(manifests.canary([engine], {"sql-lora": 1}))
        prompt = "the tide turns " * 30_000
        answer = gateway.post("/v1/completions", json.dumps({"prompt": prompt, "model": "lora-request"}))
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(engine.requests[-1].json(), {"prompt": prompt, "model": "sql-lora"})

    def test_a_header_can_make_the_draw_sticky(self):
        annotations = {"tidegate.dev/sticky-header": "x-user"}
        gateway = self.gateway(manifests.canary(self.engines(1), {"a": 1, "b": 1}, annotations=annotations))
        drawn = {}
        for user in range(24):
            models = {gateway.completion(headers=[("x-user", f"user-{user}")]).json()["model"] for _ in range(4)}
            self.assertEqual(len(models), 1)
            drawn[user] = models.pop()
        self.assertEqual(set(drawn.values()), {"a", "b"})
