"""What wire tests use: the real binary with manifests in a folder of its own, scripted engines, a client that sees bytes.

    class Splits(WireTest):
        def test_it(self):
            engines = [self.engine() for _ in range(2)]
            gateway = self.gateway(manifests.canary(engines, {"a": 1, "b": 1}))
            answer = gateway.completion("lora-request")

Everything a test starts it owns: WireTest stops it when the test ends. Addresses are 127.x.y.z with ports the kernel
gave out, so tests of several checkouts may run at the same time.
"""

from .case import WireTest, needs, slow
from .client import Answer, Connection, json_body, post_bytes
from .engine import FakeEngine, Reply
from .gateway import Gateway
from .process import eventually

__all__ = ["Answer", "Connection", "FakeEngine", "Gateway", "Reply", "WireTest", "eventually", "json_body", "needs",
           "post_bytes", "slow"]
