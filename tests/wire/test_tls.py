"""TLS at the listeners: certificates by name, changed while it runs, asked of clients, and redirects to it."""

import json
import pathlib
import ssl
import subprocess

from harness import manifests, settings
from harness.case import WireTest
from harness.certificates import Authority, shown_subject, tls_secret
from harness.client import json_body
from harness.process import eventually, free_port

ROUTE = """apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route, namespace: default}
spec:
  parentRefs: [{name: web}]
  rules:
  - backendRefs: [{group: inference.networking.x-k8s.io, kind: InferencePool, name: vllm-llama2-7b-pool}]
"""


def web_gateway(listeners):
    return f"""apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: web, namespace: default}}
spec:
  gatewayClassName: tidegate
  listeners:
{listeners}"""


class Tls(WireTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.port = free_port()

    def curl(self, host, *options, port=None, path="/v1/completions", scheme="https"):
        """Status and body as curl sees them; a status of 0 when there was no answer."""
        port = port or self.port
        done = subprocess.run(
            ["curl", "-sS", "--cacert", self.authority.certificate, "--resolve", f"{host}:{port}:127.0.0.1",
             "-w", "\n%{http_code} %{redirect_url}", "-H", "content-type: application/json",
             "-d", json_body(model="base", prompt="x"), *options, f"{scheme}://{host}:{port}{path}"],
            capture_output=True, text=True, timeout=20)
        body, _, last = done.stdout.rpartition("\n")
        status, _, location = last.partition(" ")
        return int(status or 0), location or body or done.stderr

    def test_names_get_their_certificates_and_changes_take_effect_at_once(self):
        engine = self.engine()
        a, b = self.authority.issue("a.test.com"), self.authority.issue("*.test.com", common_name="wild")
        gateway = self.gateway({
            "gateway.yaml": web_gateway(f"""
  - {{name: plain, port: @PORT@, protocol: HTTP}}
  - {{name: a, port: {self.port}, protocol: HTTPS, hostname: a.test.com, tls: {{certificateRefs: [{{name: a}}]}}}}
  - {{name: wild, port: {self.port}, protocol: HTTPS, hostname: "*.test.com", tls: {{certificateRefs: [{{name: b}}]}}}}
  - {{name: broken, port: {free_port()}, protocol: HTTPS, tls: {{certificateRefs: [{{name: nowhere}}]}}}}
"""),
            "a.yaml": tls_secret("a", a), "b.yaml": tls_secret("b", b), "route.yaml": ROUTE,
            "pool.yaml": manifests.pool([engine])})
        eventually(lambda: shown_subject(self.port, "a.test.com") == "a.test.com", "a certificate")
        self.assertEqual(shown_subject(self.port, "x.test.com"), "wild")
        self.assertIsNone(shown_subject(self.port, "elsewhere.org"))
        self.assertIsNone(shown_subject(self.port))
        self.assertEqual(self.curl("a.test.com")[0], 200)
        self.assertEqual(self.curl("x.test.com")[0], 200)
        self.assertEqual(engine.requests[-1].header("x-forwarded-proto"), "https")
        self.assertEqual(gateway.completion(model="base", host="any").status, 200)
        self.assertEqual(engine.requests[-1].header("x-forwarded-proto"), "http")
        gateway.write("a.yaml", tls_secret("a", self.authority.issue("a.test.com", common_name="renewed")))
        eventually(lambda: shown_subject(self.port, "a.test.com") == "renewed", "the new certificate")
        # A certificate that is broken by an edit takes its listener away, and no other.
        gateway.write("a.yaml", tls_secret("a", (a[0], b[1])))
        eventually(lambda: shown_subject(self.port, "a.test.com") == "wild", "the broken one to go")
        gateway.write("a.yaml", tls_secret("a", a))
        eventually(lambda: shown_subject(self.port, "a.test.com") == "a.test.com", "it to come back")

    def test_istio_gateways_redirect_to_tls_and_ask_for_client_certificates(self):
        clients = Authority(self.folder, "client-ca")
        engine, mutual = self.engine(), free_port()
        self.gateway({
            "gateway.yaml": f"""apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata: {{name: llm-inference-gateway, namespace: default}}
spec:
  servers:
  - {{port: {{number: @PORT@, name: http, protocol: HTTP}}, hosts: [test.com], tls: {{httpsRedirect: true}}}}
  - port: {{number: {self.port}, name: https, protocol: HTTPS}}
    hosts: [test.com]
    tls: {{mode: SIMPLE, credentialName: server}}
  - port: {{number: {self.port}, name: https-b, protocol: HTTPS}}
    hosts: [guarded.com]
    tls: {{mode: MUTUAL, credentialName: guarded}}
  - port: {{number: {mutual}, name: mutual, protocol: HTTPS}}
    hosts: ["*"]
    tls: {{mode: OPTIONAL_MUTUAL, credentialName: guarded}}
""",
            "server.yaml": tls_secret("server", self.authority.issue("test.com")),
            "guarded.yaml": tls_secret("guarded", self.authority.issue("guarded.com"), ca=clients.pem),
            "route.yaml": manifests.llm_route(), "open.yaml":
                manifests.llm_route("guarded.com").replace("test-llm-route", "guarded"),
            "pool.yaml": manifests.pool([engine])})
        eventually(lambda: shown_subject(self.port, "test.com") == "test.com", "a certificate")
        gateway = self._started[-1]
        status, location = self.curl("test.com", port=gateway.port, scheme="http")
        self.assertEqual((status, location), (301, f"https://test.com:{self.port}/v1/completions"))
        self.assertEqual(self.curl("test.com")[0], 200)
        certificate, key = clients.issue("somebody")
        shown = ["--cert", str(certificate), "--key", str(key)]
        self.assertEqual(self.curl("guarded.com", *shown)[0], 200)
        self.assertEqual(self.curl("guarded.com")[0], 0)
        stranger = self.authority.issue("stranger")
        self.assertEqual(self.curl("guarded.com", "--cert", str(stranger[0]), "--key", str(stranger[1]))[0], 0)
        # Not by the back door: a connection opened for another name.
        self.assertEqual(self.curl("test.com", "-H", "host: guarded.com")[0], 421)
        self.assertEqual(self.curl("guarded.com", port=mutual)[0], 200)

    def test_an_ingress_with_tls(self):
        engine = self.engine()
        host, port = engine.address.split(":")
        ingress_port = free_port()
        gateway = self.gateway({
            "gateway.yaml": manifests.istio_gateway(),
            "service.yaml": f"""apiVersion: v1
kind: Service
metadata: {{name: engine, namespace: default}}
spec: {{ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: engine-1, namespace: default, labels: {{kubernetes.io/service-name: engine}}}}
addressType: IPv4
endpoints: [{{addresses: [{host}]}}]
ports: [{{name: http, port: {port}}}]
""",
            "ingress.yaml": """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: engine, namespace: default}
spec:
  tls: [{hosts: [in.test.com], secretName: in}]
  rules:
  - host: in.test.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: engine, port: {number: 80}}}}]}
""",
            "in.yaml": tls_secret("in", self.authority.issue("in.test.com"))},
            extra=["--ingress-port", ingress_port, "--ingress-tls-port", self.port])
        eventually(lambda: shown_subject(self.port) == "in.test.com", "a certificate")
        self.assertEqual(self.curl("in.test.com")[0], 200)
        self.assertEqual(self.curl("in.test.com", port=ingress_port, scheme="http")[0], 200)
        self.assertEqual(len(engine.requests), 2)
        self.assertTrue(gateway.process.alive())

    def test_endpoints_are_spoken_to_over_tls_and_only_if_they_are_who_they_say(self):
        engine = self.engine()
        certificate, key = self.authority.issue("engine.internal")
        engine.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        engine.tls.load_cert_chain(certificate, key)
        other = Authority(self.folder, "other-ca")

        def policy(hostname="engine.internal"):
            return f"""apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {{name: engines, namespace: default}}
spec:
  targetRefs: [{{group: inference.networking.x-k8s.io, kind: InferencePool, name: vllm-llama2-7b-pool}}]
  validation:
    caCertificateRefs: [{{group: "", kind: ConfigMap, name: engine-ca}}]
    hostname: {hostname}
"""

        def authority(pem):
            lines = "".join(f"    {line}\n" for line in pem.splitlines())
            return ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: engine-ca, namespace: default}\n"
                    f"data:\n  ca.crt: |\n{lines}")
        gateway = self.gateway({**manifests.canary([engine], {"sql-lora": 1}), "policy.yaml": policy(),
                                "ca.yaml": authority(self.authority.pem)})

        def status():
            return gateway.completion().status
        eventually(lambda: status() == 200, "an answer over TLS")
        eventually(lambda: '"base"' in gateway.get("/v1/models").body.decode(), "models read over TLS")
        gateway.write("policy.yaml", policy("somebody.else"))
        eventually(lambda: status() == 503, "another name to be refused")
        why = "its certificate is not accepted: hostname mismatch"
        eventually(lambda: why in gateway.process.log(), "the log to say why")
        for _ in range(5):  # of the one that finds out and of those that come later
            message = self.assert_openai_error(gateway.completion(), 503)["message"]
            self.assertIn("(BackendTLSPolicy default/engines)", message)
            self.assertIn(why, message)
        gateway.write("policy.yaml", policy())
        eventually(lambda: status() == 200, "the right name")
        gateway.write("ca.yaml", authority(other.pem))
        eventually(lambda: status() == 503, "another authority to be refused")
        eventually(lambda: "give the authority" in gateway.process.log(), "the log to say why")
        gateway.remove("ca.yaml")
        eventually(lambda: "caCertificateRefs" in str(gateway.completion().body), "no authority at all")
        self.assertIn("BackendTLSPolicy default/engines: spec.validation.caCertificateRefs: ",
                      self.assert_openai_error(gateway.completion(), 503)["message"])
        gateway.write("ca.yaml", authority(self.authority.pem))
        eventually(lambda: status() == 200, "the right authority")
        gateway.remove("policy.yaml")
        eventually(lambda: status() == 503, "plain text, which this engine does not speak")
        engine.stop()
        engine.tls = None
        engine.start()
        eventually(lambda: status() == 200, "plain text")

    def test_a_service_behind_tls_says_what_is_wrong_with_it(self):
        engine = self.engine()
        certificate, key = self.authority.issue("web.internal")
        engine.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        engine.tls.load_cert_chain(certificate, key)

        def policy(hostname):
            return f"""apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {{name: web, namespace: default}}
spec:
  targetRefs: [{{group: "", kind: Service, name: svc, sectionName: http}}]
  validation:
    caCertificateRefs: [{{group: "", kind: ConfigMap, name: engine-ca}}]
    hostname: {hostname}
"""
        indented = self.authority.pem.replace("\n", "\n    ")
        gateway = self.gateway({
            "gateway.yaml": web_gateway("  - {name: plain, port: @PORT@, protocol: HTTP}\n"),
            "route.yaml": """apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route, namespace: default}
spec:
  parentRefs: [{name: web}]
  rules:
  - backendRefs: [{name: svc, port: 80}]
""",
            "service.yaml": f"""apiVersion: v1
kind: Service
metadata: {{name: svc, namespace: default}}
spec:
  ports: [{{name: http, port: 80, targetPort: {engine.port}}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: svc-1, namespace: default, labels: {{kubernetes.io/service-name: svc}}}}
addressType: IPv4
ports: [{{name: http, port: {engine.port}}}]
endpoints: [{{addresses: ["{engine.host}"], conditions: {{ready: true}}}}]
""",
            "policy.yaml": policy("web.internal"),
            "ca.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: engine-ca, namespace: default}\n"
                       f"data:\n  ca.crt: |\n    {indented}\n"})
        eventually(lambda: gateway.completion().status == 200, "an answer over TLS")
        gateway.write("policy.yaml", policy("elsewhere.internal"))
        eventually(lambda: gateway.completion().status != 200, "another name to be refused")
        for _ in range(5):
            message = self.assert_openai_error(gateway.completion(), 503)["message"]
            self.assertIn("(BackendTLSPolicy default/web)", message)
        gateway.write("policy.yaml", policy("web.internal"))
        eventually(lambda: gateway.completion().status == 200, "the right name")
        engine.stop()
        engine.tls = None
        engine.start()
        count = len(engine.requests)
        eventually(lambda: gateway.completion().status == 503, "plain text not to be taken for TLS")
        self.assertEqual(len(engine.requests), count)
        gateway.remove("policy.yaml")
        eventually(lambda: gateway.completion().status == 200, "plain text without a policy")

    def test_a_policy_is_told_what_becomes_of_it(self):
        port = free_port()
        folder = pathlib.Path(self.folder) / "told"
        folder.mkdir()
        indented = self.authority.pem.replace("\n", "\n    ")

        def policy(name, target, authority):
            return f"""apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {{name: {name}, namespace: default}}
spec:
  targetRefs: [{target}]
  validation:
    caCertificateRefs: [{{group: "", kind: ConfigMap, name: {authority}}}]
    hostname: web.internal
---
"""
        (folder / "all.yaml").write_text(
            policy("a-good", '{group: "", kind: Service, name: web}', "engine-ca")
            + policy("b-late", '{group: "", kind: Service, name: web}', "engine-ca")
            + policy("no-target", '{group: "", kind: Service, name: gone}', "engine-ca")
            + policy("no-authority", '{group: "", kind: Service, name: in}', "absent")
            + f"""apiVersion: v1
kind: ConfigMap
metadata: {{name: engine-ca, namespace: default}}
data:
  ca.crt: |
    {indented}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: default}}
spec: {{ports: [{{name: http, port: 80}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: in, namespace: default}}
spec: {{ports: [{{name: http, port: 80}}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: ingress, namespace: default}}
spec: {{defaultBackend: {{service: {{name: in, port: {{number: 80}}}}}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: route, namespace: default}}
spec:
  parentRefs: [{{name: web}}]
  rules: [{{backendRefs: [{{name: web, port: 80}}]}}]
---
""" + web_gateway("  - {name: plain, port: @PORT@, protocol: HTTP}\n").replace("@PORT@", str(port)))
        self.home("-f", folder, "--ingress-port", free_port())

        def told():
            done = subprocess.run(
                [settings.BINARY, "get", "backendtlspolicies", "-o", "json", "--kubeconfig", f"{self.folder}/data/kubeconfig"],
                capture_output=True, text=True, timeout=30, check=True)
            return {item["metadata"]["name"]: [
                (ancestor["ancestorRef"]["kind"], ancestor["ancestorRef"]["name"],
                 {c["type"]: (c["status"], c["reason"]) for c in ancestor["conditions"]})
                for ancestor in item.get("status", {}).get("ancestors", [])] for item in json.loads(done.stdout)["items"]}
        resolved = ("True", "ResolvedRefs")
        want = {
            "a-good": [("Gateway", "web", {"Accepted": ("True", "Accepted"), "ResolvedRefs": resolved})],
            "b-late": [("Gateway", "web", {"Accepted": ("False", "Conflicted"), "ResolvedRefs": resolved})],
            "no-target": [("Service", "gone", {"Accepted": ("False", "TargetNotFound"), "ResolvedRefs": resolved})],
            "no-authority": [("Ingress", "ingress", {"Accepted": ("False", "NoValidCACertificate"),
                                                     "ResolvedRefs": ("False", "InvalidCACertificateRef")})]}
        try:
            eventually(lambda: told() == want, "the conditions of all four", every=0.2)
        except AssertionError:
            self.assertEqual(told(), want)
