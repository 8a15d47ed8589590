"""Configuration, certificates and the program itself change under load, and no request fails."""

import http.client
import socket
import ssl
import threading
import time

from harness import manifests, settings
from harness.case import WireTest
from harness.certificates import Authority, shown_subject, tls_secret
from harness.client import json_body
from harness.gateway import Gateway
from harness.process import Process, eventually, free_port

CHANGES = 100


class Load:
    """Clients that ask again and again, over connections they keep and over new ones; every answer must be 200."""

    def __init__(self, port, context=None, clients=6):
        self.port, self.context = port, context
        self.asked, self.failures = 0, []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(index % 2 == 0,), daemon=True)
                         for index in range(clients)]
        for thread in self._threads:
            thread.start()

    def _connect(self):
        if self.context:
            connection = http.client.HTTPSConnection("test.com", self.port, timeout=20, context=self.context)
            connection._create_connection = lambda address, *rest: socket.create_connection(
                ("127.0.0.1", address[1]), *rest)
            return connection
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def _ask(self, keeps):
        body = json_body(model="lora-request", prompt="x")
        connection = None
        while not self._over.is_set():
            try:
                connection = connection or self._connect()
                connection.request("POST", "/v1/completions", body,
                                   {"Host": "test.com", "Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                self.asked += 1
                if answer.status != 200:
                    self.failures.append(answer.status)
                if not keeps or answer.will_close:
                    connection.close()
                    connection = None
            except OSError as error:
                self.failures.append(repr(error))
                connection = None
            except http.client.HTTPException as error:
                self.failures.append(repr(error))
                connection = None

    def stop(self):
        self._over.set()
        for thread in self._threads:
            thread.join()


class Reload(WireTest):
    def test_a_hundred_changes_of_routes_pools_and_certificates(self):
        authority = Authority(self.folder)
        pairs = [authority.issue("test.com", common_name=f"cert-{index}") for index in range(4)]
        engines, secure = self.engines(3), free_port()
        gateway = self.gateway({
            **manifests.canary(engines, {"sql-lora": 1}),
            "tls.yaml": tls_secret("tls", pairs[0]),
            "gateway.yaml": f"""apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata: {{name: llm-inference-gateway, namespace: default}}
spec:
  servers:
  - {{port: {{number: @PORT@, name: http, protocol: HTTP}}, hosts: ["*"]}}
  - {{port: {{number: {secure}, name: https, protocol: HTTPS}}, hosts: ["*"], tls: {{mode: SIMPLE, credentialName: tls}}}}
"""})
        eventually(lambda: shown_subject(secure, "test.com") == "cert-0", "the first certificate")
        context = ssl.create_default_context(cafile=authority.certificate)
        plain, tls = Load(gateway.port), Load(secure, context, clients=4)
        for change in range(CHANGES):
            gateway.write("tls.yaml", tls_secret("tls", pairs[change % 4]))
            gateway.write("pool.yaml", manifests.pool(engines[:2] if change % 2 else engines))
            gateway.write("model.yaml", manifests.model({"sql-lora": 1, "tweet-summary": 1 + change}))
            gateway.write("route.yaml", manifests.llm_route("test.com" if change % 3 else "*.com"))
            time.sleep(0.03)
        last = CHANGES - 1
        eventually(lambda: shown_subject(secure, "test.com") == f"cert-{last % 4}", "the last certificate")
        plain.stop()
        tls.stop()
        self.assertEqual(plain.failures + tls.failures, [])
        self.assertGreater(plain.asked, CHANGES)
        self.assertGreater(tls.asked, CHANGES)

    def test_one_gateway_takes_over_from_another(self):
        engine = self.engine()
        files = manifests.canary([engine], {"sql-lora": 1})
        options = {"extra": ["--handover", f"{self.folder}/handover", "--drain-timeout", "10s"]}
        gateway = self.gateway(files, **options)
        load = Load(gateway.port)
        for workers in (2, 1, 3, 2):
            before = load.asked
            successor = Gateway.__new__(Gateway)
            successor.__dict__.update(gateway.__dict__)
            successor.process = Process(
                [settings.BINARY, "gateway", "-f", gateway.manifests, "--workers", workers, "--bind", "127.0.0.1",
                 "--stats-port", gateway.stats_port, *options["extra"]], self.folder, f"gateway-{workers}-{before}")
            self.own(successor)
            eventually(lambda: not gateway.process.alive(), "the gateway before to drain and end", seconds=20)
            self.assertEqual(gateway.process.child.returncode, 0, gateway.process.log())
            gateway = successor
            eventually(lambda: load.asked > before + 20, "traffic through the successor")
        load.stop()
        self.assertEqual(load.failures, [])
        self.assertEqual(gateway.stats("/healthz").status, 200)
