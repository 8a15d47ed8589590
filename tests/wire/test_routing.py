"""HTTPRoutes of the Gateway API on the wire: what is matched, changed, redirected, copied and timed out."""

import subprocess
import time

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
  listeners:
  - {name: http, port: @PORT@, protocol: HTTP}
"""


def pool_ref(name, extra=""):
    return f"{{group: inference.networking.x-k8s.io, kind: InferencePool, name: {name}{extra}}}"


def http_route(rules, name="route", hosts=()):
    named = f"  hostnames: [{', '.join(hosts)}]\n" if hosts else ""
    return f"""apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: default}}
spec:
  parentRefs: [{{name: web}}]
{named}  rules:
{rules}"""


class Routing(WireTest):
    def route(self, rules, **pools):
        """A gateway with one HTTPRoute; each pool has its engines under its name."""
        files = {"gateway.yaml": GATEWAY, "route.yaml": http_route(rules)}
        for name, engines in pools.items():
            files[f"{name}.yaml"] = manifests.pool(engines, name=name)
        return self.gateway(files)

    def ask(self, gateway, path="/v1/completions", headers=(), host="test.com"):
        return gateway.post(path, json_body(model="base", prompt="x"), host=host, headers=headers)

    def test_headers_are_set_added_and_removed_both_ways(self):
        def script(request, reply):
            reply.json(completion("base"), headers=[("X-Old", "engine"), ("X-Kept", "engine"), ("Server", "engine")])
        engine = self.engine(script)
        gateway = self.route(f"""
  - filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{{name: X-Set, value: "rule"}}]
        add: [{{name: X-Added, value: "rule"}}]
        remove: [x-secret]
    - type: ResponseHeaderModifier
      responseHeaderModifier:
        set: [{{name: x-old, value: "rule"}}]
        add: [{{name: X-Kept, value: "rule"}}]
        remove: [server]
    backendRefs:
    - {pool_ref("a")}
""", a=[engine])
        answer = self.ask(gateway, headers=[("x-set", "client"), ("x-added", "client"), ("X-Secret", "client"),
                                            ("x-other", "client")])
        self.assertEqual(answer.status, 200, answer)
        sent = engine.requests[0]
        values = [value for name, value in sent.headers if name in ("x-set", "x-added", "x-secret", "x-other")]
        self.assertEqual(sorted(values), ["client", "client", "rule", "rule"], sent.headers)
        self.assertIsNone(sent.header("x-secret"))
        self.assertEqual([value for name, value in sent.headers if name == "x-set"], ["rule"])
        got = [(name, value) for name, value in answer.headers if name in ("x-old", "x-kept", "server")]
        self.assertEqual(got, [("x-kept", "engine"), ("x-old", "rule"), ("x-kept", "rule")])

    def test_prefixes_and_hosts_are_rewritten_and_the_api_is_judged_anew(self):
        engine = self.engine()
        gateway = self.route(f"""
  - matches: [{{path: {{type: PathPrefix, value: /team-a}}}}]
    filters:
    - type: URLRewrite
      urlRewrite: {{hostname: engine.internal, path: {{type: ReplacePrefixMatch, replacePrefixMatch: /}}}}
    backendRefs: [{pool_ref("a")}]
""", a=[engine])
        answer = self.ask(gateway, "/team-a/v1/completions?x=1")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(engine.requests[0].target, "/v1/completions?x=1")
        self.assertEqual(engine.requests[0].header("host"), "engine.internal")
        # Taking a prefix away opens nothing that was closed.
        self.assertEqual(self.ask(gateway, "/team-a/v1/load_lora_adapter").status, 404)
        self.assertEqual(self.ask(gateway, "/v1/completions").status, 404)

    def test_redirects_need_no_engine_and_curl_follows_them(self):
        engine = self.engine()
        gateway = self.route(f"""
  - matches: [{{path: {{type: PathPrefix, value: /old}}}}]
    filters:
    - type: RequestRedirect
      requestRedirect: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: /v1}}, statusCode: 307}}
  - matches: [{{path: {{type: PathPrefix, value: /secure}}}}]
    filters: [{{type: RequestRedirect, requestRedirect: {{scheme: https, hostname: b.org, statusCode: 301}}}}]
  - backendRefs: [{pool_ref("a")}]
""", a=[engine])
        answer = gateway.get("/secure/x?y=z")
        self.assertEqual((answer.status, answer.header("location")), (301, "https://b.org/secure/x?y=z"))
        self.assertEqual(answer.body, b"")
        done = subprocess.run(["curl", "-sSL", "-w", "%{http_code} %{num_redirects}", "-o", "/dev/null",
                               "-H", "content-type: application/json", "-d", json_body(model="base", prompt="x"),
                               f"http://127.0.0.1:{gateway.port}/old/completions"], capture_output=True, text=True,
                              timeout=20, check=True)
        self.assertEqual(done.stdout, "200 1", done.stderr)

    def test_a_mirror_gets_a_copy_and_never_delays_or_fails_the_request(self):
        def sleepy(request, reply):
            time.sleep(2)
            reply.json(completion("base"))
        main, mirrored = self.engine(), self.engine(sleepy)
        rules = f"""
  - filters: [{{type: RequestMirror, requestMirror: {{backendRef: {pool_ref("b")}}}}}]
    backendRefs: [{pool_ref("a")}]
"""
        gateway = self.route(rules, a=[main], b=[mirrored])
        began = time.monotonic()
        for _ in range(5):
            self.assertEqual(self.ask(gateway).status, 200)
        self.assertLess(time.monotonic() - began, 1.5)
        eventually(lambda: len(mirrored.requests) == 5, "five copies")
        self.assertEqual(mirrored.requests[0].body, main.requests[0].body)
        mirrored.stop()
        for _ in range(5):
            self.assertEqual(self.ask(gateway).status, 200)
        self.assertEqual(len(main.requests), 10)

    def test_timeouts_end_requests_and_streams(self):
        def slow(request, reply):
            if request.json().get("stream"):
                reply.start_stream()
                for _ in range(40):
                    reply.event({"choices": []})
                    time.sleep(0.1)
            time.sleep(3)
            reply.json(completion("base"))
        engine = self.engine(slow)
        gateway = self.route(f"""
  - matches: [{{headers: [{{name: kind, value: attempt}}]}}]
    timeouts: {{backendRequest: 300ms}}
    backendRefs: [{pool_ref("a")}]
  - timeouts: {{request: 500ms}}
    backendRefs: [{pool_ref("a")}]
""", a=[engine])
        for headers, least in (([], 0.45), ([("kind", "attempt")], 0.25)):
            began = time.monotonic()
            answer = self.ask(gateway, headers=headers)
            self.assertEqual(answer.status, 504, answer)
            self.assertTrue(least < time.monotonic() - began < 2)
        began = time.monotonic()
        answer = gateway.completion(model="base", stream=True)
        self.assertLess(time.monotonic() - began, 2)
        self.assertIn("error", answer.events()[-2])
