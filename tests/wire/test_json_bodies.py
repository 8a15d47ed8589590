"""Request bodies are held to RFC 8259: what is no JSON is refused with 400 and never reaches an engine, what is passes as it came.

All 188 reject and 95 accept cases of JSONTestSuite where ../shared is there, as the whole body and as the value of a member;
the table below where it is not. What is JSON but no object, is refused as a whole body: it can name no model.
"""

import tarfile

from harness import WireTest, eventually, manifests, needs, post_bytes, settings
from harness.client import Closed

SUITE = settings.CONFORMANCE / "json_test_suite.tar.gz"

REJECT = [b"", b" ", b"[", b"]", b"{", b'{"a"}', b'{"a":}', b'{"a":1,}', b'{"a":1 "b":2}', b"{a:1}", b"{'a':1}", b"[1,]", b"[,1]", b"[1 2]",
          b"01", b"-", b"+1", b".5", b"1.", b"1e", b"0x1", b"1e+", b"NaN", b"Infinity", b"-Infinity", b"True", b"nul", b'"', b'"\\x41"',
          b'"\\u12"', b'"\t"', b'"\n"', b'"\x00"', b'"\x1f"', b"1/**/", b"1//", b"\xef\xbb\xbf1", b"\x0c1", b"1 1", b'"\xff"', b'"\xc0\xaf"',
          b'"\xed\xa0\x80"', b"{}}", b"[[]", b"[1]]", b"[" * 100000, b'[{"":' * 50000]
ACCEPT = [b"1", b"-0", b"0e1", b"1E+2", b"1.5e-9", b'""', b'"\\u0061\\n\\\\\\/"', b'"\\ud83c\\udf0a"', b'"\xf0\x9f\x8c\x8a"', b'"\x7f"', b"[]", b"{}",
          b"null", b"true", b' [ 1 , { "a" : [ ] } ] ', b"\t\r\n1\n", b'{"a":1,"a":2}', b'{"":0}', b'{"\\u0000":0}', b"[" * 500 + b"]" * 500]


def suite(kind):
    """file name -> bytes of the cases of "n" (no JSON) or "y" (JSON)."""
    with tarfile.open(SUITE) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive
                if member.isfile() and member.name.rpartition("/")[2].startswith(f"{kind}_")}


class JsonBodies(WireTest):
    def setUp(self):
        super().setUp()
        self.one = self.engine()
        self.door = self.gateway(manifests.canary([self.one], {"lora-request": 1}))
        eventually(lambda: self.door.completion().status == 200, "the engine to be known")
        self.client = self.own(Owned(self.door))

    def ask(self, body):
        before = len(self.one.requests)
        answer = self.client.ask(post_bytes("/v1/completions", body))
        return answer, self.one.requests[before:]

    def refuses(self, name, body):
        with self.subTest(name, body=body[:60]):
            answer, arrived = self.ask(body)
            self.assert_openai_error(answer, 400)
            self.assertEqual(arrived, [])

    def passes(self, name, body):
        with self.subTest(name, body=body[:60]):
            answer, arrived = self.ask(body)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual([request.body for request in arrived], [body])

    def hold(self, reject, accept):
        for name, text in reject.items():
            self.refuses(name, text)
            self.refuses(f"{name} in a member", b'{"model":"lora-request","x":' + text + b"}")
            self.refuses(f"{name} before the model", b'{"x":' + text + b',"model":"lora-request"}')
        for name, text in accept.items():
            self.passes(f"{name} in a member", b'{"model":"lora-request","x":' + text + b"}")
            self.passes(f"{name} before the model", b'{"x":' + text + b',"model":"lora-request"}')
            if not text.strip().startswith(b"{"):
                self.refuses(f"{name} alone", text)

    def test_the_table(self):
        self.hold(dict(enumerate(REJECT)), dict(enumerate(ACCEPT)))

    @needs(SUITE, "no ../shared/data/conformance on this machine")
    def test_json_test_suite(self):
        reject, accept = suite("n"), suite("y")
        self.assertEqual((len(reject), len(accept)), (188, 95))
        self.hold(reject, accept)


class Owned:
    """One connection that is opened again when the gateway has closed it."""

    def __init__(self, door):
        self.door = door
        self.connection = door.connect()

    def ask(self, data):
        try:
            return self.connection.ask(data)
        except (Closed, OSError):
            self.connection.close()
            self.connection = self.door.connect()
            return self.connection.ask(data)

    def stop(self):
        self.connection.close()
