"""Requests of one session meet on one endpoint: by token, by cookie, by the client's own id; and pickers are configured in
upstream's words."""

import base64
import pathlib
import subprocess

from harness import WireTest, eventually, manifests, settings

CONFIG = """apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- {type: session-affinity-filter, parameters: {headerName: x-where}}
- type: random-picker
"""


class Session(WireTest):
    def start(self, annotations=None, engines=4, extra=()):
        self.behind = self.engines(engines)
        self.door = self.gateway(manifests.canary(self.behind, {"sql-lora": 1}, annotations=annotations), extra=extra)
        eventually(lambda: self.served() is not None, "an answer")
        for engine in self.behind:
            engine.requests.clear()

    def served(self, *headers):
        """The endpoint that answered a base model's request, and the answer."""
        before = [len(engine.requests) for engine in self.behind]
        answer = self.door.completion("base", headers=[tuple(h.split(": ", 1)) for h in headers])
        if answer.status != 200:
            return None
        after = [len(engine.requests) for engine in self.behind]
        return next(i for i in range(len(after)) if after[i] > before[i]), answer

    def test_a_token_leads_home(self):
        self.start({"tidegate.dev/session-affinity": "header"})
        where, answer = self.served()
        token = answer.header("x-session-token")
        self.assertEqual(base64.b64decode(token).decode(), self.behind[where].address)
        self.assertEqual({self.served(f"x-session-token: {token}")[0] for _ in range(20)}, {where})
        self.assertGreater(len({self.served()[0] for _ in range(40)}), 1)
        for made_up in ("%%%", "", base64.b64encode(b"10.0.0.1:80").decode(), "x" * 5000):
            self.assertIsNotNone(self.served(f"x-session-token: {made_up}"))

    def test_a_session_outlives_its_endpoint(self):
        self.start({"tidegate.dev/session-affinity": "header"})
        where, answer = self.served()
        token = answer.header("x-session-token")
        self.behind[where].stop()
        elsewhere, answer = self.served(f"x-session-token: {token}")
        self.assertNotEqual(elsewhere, where)
        self.assertNotEqual(answer.header("x-session-token"), token)

    def test_a_cookie_is_set_once_and_leads_home(self):
        self.start(extra=["--session-affinity", "cookie=who"])
        where, answer = self.served()
        cookie = answer.header("set-cookie")
        self.assertRegex(cookie, r"^who=[A-Za-z0-9+/=]+; Path=/; HttpOnly; SameSite=Lax$")
        pair = cookie.partition(";")[0]
        for _ in range(20):
            again, answer = self.served(f"cookie: other=1; {pair}")
            self.assertEqual(again, where)
            self.assertIsNone(answer.header("set-cookie"))

    def test_the_clients_own_id_is_remembered(self):
        self.start({"tidegate.dev/session-affinity": "id"})
        homes = {}
        for name in ("ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal"):
            homes[name] = self.served(f"x-session-id: {name}")[0]
        self.assertGreater(len(set(homes.values())), 1)
        for name, where in homes.items():
            self.assertEqual({self.served(f"x-session-id: {name}")[0] for _ in range(5)}, {where})

    def test_a_picker_config_in_upstreams_words(self):
        file = pathlib.Path(self.folder) / "picker.yaml"
        file.write_text(CONFIG)
        self.start(extra=["--picker-config", file])
        self.assertGreater(len({self.served()[0] for _ in range(60)}), 2)
        where, answer = self.served()
        token = answer.header("x-where")
        self.assertEqual({self.served(f"X-Where: {token}")[0] for _ in range(20)}, {where})

    def test_a_broken_picker_config_is_refused_with_its_line(self):
        file = pathlib.Path(self.folder) / "picker.yaml"
        file.write_text(CONFIG.replace("random-picker", "latency-scorer"))
        done = subprocess.run([settings.BINARY, "gateway", "-f", self.folder, "--picker-config", file],
                              capture_output=True, text=True, timeout=20)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('picker.yaml:5: plugins[1].type is "latency-scorer"', done.stderr)

    def test_a_broken_annotation_is_as_if_it_were_not_there(self):
        self.start({"tidegate.dev/session-affinity": "coookie"})
        self.assertIsNone(self.served()[1].header("set-cookie"))
