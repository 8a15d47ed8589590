"""Starting: connections are accepted soon, and from the first one on every route and model is known."""

import time

from harness import WireTest, manifests


class Start(WireTest):
    def test_the_first_request_is_answered_as_all_later_ones(self):
        engines = self.engines(2)
        for _ in range(8):
            gateway = self.gateway(manifests.canary(engines, {"sql-lora": 1}))
            self.assertEqual(gateway.completion().status, 200)
            self.assertEqual(gateway.stop(), 0)

    def test_it_accepts_soon(self):
        """Loosely, because tests share their machine; bench/gateway/run measures it."""
        began = time.monotonic()
        gateway = self.gateway(manifests.canary(self.engines(1), {"sql-lora": 1}))
        took = time.monotonic() - began
        self.assertEqual(gateway.completion().status, 200)
        self.assertLess(took, 2.0)
