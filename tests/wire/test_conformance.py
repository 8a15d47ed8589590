"""HTTP/1.1 strictness on the real listener: what could be read in two ways is refused, and nothing hangs or crashes.

The case list of Http11Probe is used where ../shared is there; the table below covers the same rules where it is not.
"""

import csv
import re

from harness import WireTest, eventually, manifests, needs, settings
from harness.client import Closed

BODY = '{"model":"lora-request"}'
HEAD = "POST /v1/completions HTTP/1.1\r\nHost: test.com\r\nContent-Type: application/json\r\n"

# Each must be answered with 4xx or 5xx and a closed connection, or be closed without a word; the engine must see nothing.
REFUSED = {
    "two lengths": f"{HEAD}Content-Length: 24\r\nContent-Length: 25\r\n\r\n{BODY}",
    "length and chunked": f"{HEAD}Content-Length: 24\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length with a sign": f"{HEAD}Content-Length: +24\r\n\r\n{BODY}",
    "length in a list": f"{HEAD}Content-Length: 24, 24\r\n\r\n{BODY}",
    "length in hex": f"{HEAD}Content-Length: 0x18\r\n\r\n{BODY}",
    "blank before the colon": f"{HEAD}Content-Length : 24\r\n\r\n{BODY}",
    "folded header": f"{HEAD}X-A: b\r\n c\r\nContent-Length: 24\r\n\r\n{BODY}",
    "bare LF in the head": f"{HEAD}X-A: b\nContent-Length: 24\r\n\r\n{BODY}",
    "bare CR in a value": f"{HEAD}X-A: b\rc\r\nContent-Length: 24\r\n\r\n{BODY}",
    "NUL in a value": f"{HEAD}X-A: b\0c\r\nContent-Length: 24\r\n\r\n{BODY}",
    "no host": f"POST /v1/completions HTTP/1.1\r\nContent-Length: 24\r\n\r\n{BODY}",
    "two hosts": f"{HEAD}Host: test.com\r\nContent-Length: 24\r\n\r\n{BODY}",
    "unknown transfer coding": f"{HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": f"{HEAD}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": f"{HEAD}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunk size with a sign": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "chunk size too large": f"{HEAD}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n\r\n",
    "chunk with bare LF": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n18\n{BODY}\n0\n\n",
    "chunk longer than said": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\n{BODY}\r\n0\r\n\r\n",
    "blank in the name": f"{HEAD}X A: b\r\nContent-Length: 24\r\n\r\n{BODY}",
    "empty name": f"{HEAD}: b\r\nContent-Length: 24\r\n\r\n{BODY}",
    "two blanks in the start line": HEAD.replace("POST ", "POST  ") + f"Content-Length: 24\r\n\r\n{BODY}",
    "version of the future": HEAD.replace("HTTP/1.1", "HTTP/1.2x") + f"Content-Length: 24\r\n\r\n{BODY}",
    "lower-case version": HEAD.replace("HTTP/1.1", "http/1.1") + f"Content-Length: 24\r\n\r\n{BODY}",
    "fragment in the target": HEAD.replace("completions", "completions#x") + f"Content-Length: 24\r\n\r\n{BODY}",
    "not HTTP at all": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


def unescape(text):
    escapes = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}

    def one(match):
        word = match.group(1)
        return chr(int(word[1:], 16)) if word[0] == "x" else escapes[word]

    decoded = re.sub(r"\\(x[0-9A-Fa-f]{2}|[rnt0\\])", one, text)
    return b"".join(c.encode("latin-1" if ord(c) < 256 else "utf-8") for c in decoded)


# Opens "/" on every host, so that a probe is refused for its form and not for want of a route.
OPEN_ROOT = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: open, namespace: default}
spec:
  gatewayClassName: tidegate
  listeners:
  - {name: http, port: @PORT@, protocol: HTTP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: open-root, namespace: default}
spec:
  parentRefs:
  - {name: open}
  rules:
  - matches:
    - path: {type: Exact, value: /}
    backendRefs:
    - {group: inference.networking.x-k8s.io, kind: InferencePool, name: vllm-llama2-7b-pool}
"""


# What the list expects there is no matter of form: a method the engine may judge, a handshake that no proxy begins, a value
# that the list only sketches.
NOT_OF_FORM = {"COMP-405-ALLOW", "COMP-UPGRADE-INVALID-VER", "MAL-LONG-HEADER-VALUE"}


class Conformance(WireTest):
    def setUp(self):
        super().setUp()
        self.one = self.engine()
        self.door = self.gateway({**manifests.canary([self.one], {"sql-lora": 1}), "open.yaml": OPEN_ROOT})

    def outcome(self, data):
        """(status or None, closed afterwards): what the gateway does with these bytes."""
        with self.door.connect(timeout=1.0) as client:
            try:
                client.send(data)
                answer = client.read()
            except (Closed, ConnectionError):
                return None, True
            except TimeoutError:
                return None, False
            return answer.status, client.closed_by_peer()

    def test_what_could_be_read_in_two_ways_is_refused(self):
        for name, text in REFUSED.items():
            with self.subTest(name):
                status, closed = self.outcome(text.encode("latin-1"))
                self.assertTrue(closed, (status, closed))
                self.assertTrue(status is None or status >= 400, status)
        self.assertEqual(self.one.requests, [])
        self.assertEqual(self.door.completion().status, 200)

    def test_a_second_request_hidden_in_a_refused_one_is_never_seen(self):
        hidden = f"{HEAD}Content-Length: 24\r\n\r\n{BODY}"
        self.outcome((f"{HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden).encode())
        self.assertEqual(self.one.requests, [])

    def test_pipelined_requests_are_answered_in_order(self):
        eventually(lambda: self.door.completion("nobody").status == 404, "what the engine serves to be known")
        one = f"{HEAD}Content-Length: 24\r\n\r\n{BODY}".encode()
        with self.door.connect() as client:
            client.send(one + one.replace(b'lora-request"}', b'nobody"}      ') + one)
            self.assertEqual([client.read().status for _ in range(3)], [200, 404, 200])

    def test_http_1_0_is_answered_and_closed(self):
        data = f"POST /v1/completions HTTP/1.0\r\nHost: test.com\r\nContent-Length: 24\r\n\r\n{BODY}".encode()
        status, closed = self.outcome(data)
        self.assertEqual((status, closed), (200, True))

    @needs(settings.CONFORMANCE / "http11probe_cases.tsv", "no ../shared/data/conformance on this machine")
    def test_http11probe(self):
        """Cases whose expectation is a refusal and nothing else: refused or closed, never passed on."""
        with open(settings.CONFORMANCE / "http11probe_cases.tsv", newline="") as file:
            cases = [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row["sends"]]
        self.assertGreater(len(cases), 150)
        strict = [case for case in cases if case["id"] not in NOT_OF_FORM and re.match(r"^(400|4\d\d|Reject)", case["expected"])
                  and not re.search(r"2xx|200|pass|Pass|Warn|warn", case["expected"])]
        self.assertGreater(len(strict), 60)
        plain = b"GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"
        self.assertEqual(self.outcome(plain)[0], 200)  # so a refusal below is for the form
        for case in strict:
            with self.subTest(case["id"], expected=case["expected"]):
                before = len(self.one.requests)
                status, closed = self.outcome(unescape(case["sends"]))
                refused = (status is not None and status >= 400) or (status is None and closed)
                timed_out = status is None and not closed and "timeout" in case["expected"]
                self.assertTrue(refused or timed_out, (case["id"], status, closed))
                self.assertEqual(len(self.one.requests), before, case["id"])
        for case in cases:  # nothing printed there may hang or end the gateway
            self.outcome(unescape(case["sends"])) if case not in strict else None
        eventually(lambda: self.door.completion().status == 200, "the engine to be taken back")
