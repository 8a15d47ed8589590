"""API keys: who may ask, for which models, and how much."""

import json
import pathlib
import subprocess
import time

from harness import WireTest, eventually, json_body, manifests, post_bytes, settings
from harness.engine import completion
from harness.process import free_port

ALICE, BOB, CAROL = "sk-alice-000000000001", "sk-bob-00000000000002", "sk-carol-000000000003"
GUARDED = {"tidegate.dev/api-keys": "required"}


def secret(name, keys, **annotations):
    lines = "".join(f'    tidegate.dev/{key.replace("_", "-")}: "{value}"\n' for key, value in annotations.items())
    entries = "".join(f"  {client}: {key}\n" for client, key in keys.items())
    return (f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n  namespace: default\n"
            f'  labels: {{tidegate.dev/api-keys: "true"}}\n  annotations:\n{lines}    note: "x"\nstringData:\n{entries}')


def bearer(key):
    return [("Authorization", f"Bearer {key}")]


class Guard(WireTest):
    def setUp(self):
        super().setUp()
        self.one = self.engine()
        self.one.adapters = ["sql-lora", "tweet-summary"]
        files = manifests.canary([self.one], {"sql-lora": 1}, annotations=GUARDED)
        files["all.yaml"] = secret("all", {"alice": ALICE})
        files["some.yaml"] = secret("some", {"bob": BOB}, models="tweet-*")
        self.door = self.gateway(files)
        eventually(lambda: "tweet-summary" in self.door.ask(
            f"GET /v1/models HTTP/1.1\r\nHost: test.com\r\nx-api-key: {ALICE}\r\n\r\n".encode()).body.decode(),
            "the engine's models to be listed")

    def names(self, key):
        answer = self.door.ask(f"GET /v1/models HTTP/1.1\r\nHost: test.com\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        return {entry["id"] for entry in answer.json()["data"]}

    def test_a_key_must_be_shown(self):
        refused = self.door.completion()
        self.assert_openai_error(refused, 401, "invalid_api_key")
        self.assertEqual(refused.header("www-authenticate"), "Bearer")
        for wrong in ("", "x", ALICE[:-1], ALICE + "0", "\x00", "a" * 5000):
            headers = [("Authorization", f"Bearer {wrong}".replace("\x00", "?"))]
            self.assert_openai_error(self.door.completion(headers=headers), 401, "invalid_api_key")
        self.assertEqual(self.door.get("/v1/models").status, 401)
        self.assertEqual(self.one.requests, [])
        for headers in (bearer(ALICE), [("x-api-key", ALICE)], [("api-key", ALICE)], [("authorization", f"bearer {ALICE}")]):
            self.assertEqual(self.door.completion(headers=headers).status, 200)
        for name, value in self.one.requests[-1].headers:
            self.assertNotIn(ALICE, value, name)

    def test_models_are_allowed_by_name(self):
        refused = self.door.completion(headers=bearer(BOB))
        self.assert_openai_error(refused, 403)
        self.assertEqual(refused.header("x-tidegate-refused"), "model-not-allowed")
        self.assertEqual(self.door.completion("tweet-summary", headers=bearer(BOB)).status, 200)
        self.assertEqual(self.names(BOB), {"tweet-summary"})
        self.assertLessEqual({"lora-request", "sql-lora", "tweet-summary", "base"}, self.names(ALICE))

    def test_a_secret_that_cannot_be_read_is_told_once(self):
        why = "annotation tidegate.dev/tokens-per-day is no whole number above 0"

        def told(count):
            eventually(lambda: self.door.process.log().count(why) == count, f"the log to say it {count} times")
        self.door.write("more.yaml", secret("more", {"carol": CAROL}, tokens_per_day="many"))
        told(1)
        self.assertNotIn(CAROL, self.door.process.log())
        for change in range(3):  # of something else
            self.door.write("all.yaml", secret("all", {"alice": f"{ALICE}-{change}"}))
            eventually(lambda: self.door.completion(headers=bearer(f"{ALICE}-{change}")).status == 200, "the change to count")
        told(1)
        self.door.write("more.yaml", secret("more", {"carol": CAROL}, tokens_per_day="5"))
        eventually(lambda: self.door.completion(headers=bearer(CAROL)).status == 200, "the mended Secret to be taken")
        self.door.write("more.yaml", secret("more", {"carol": CAROL}, tokens_per_day="-1"))
        told(2)

    def test_a_secret_that_cannot_be_read_gets_an_event(self):
        folder = pathlib.Path(self.folder) / "told"
        folder.mkdir()
        files = manifests.canary([self.one], {"sql-lora": 1}, annotations=GUARDED)
        for name, text in {**files, "more.yaml": secret("more", {"carol": CAROL}, requests_per_minute="1k")}.items():
            (folder / name).write_text(text.replace("@PORT@", str(free_port())))
        self.home("-f", folder)

        def events():
            done = subprocess.run([settings.BINARY, "get", "events", "-o", "json", "--kubeconfig", f"{self.folder}/data/kubeconfig"],
                                  capture_output=True, text=True, timeout=30, check=True)
            return [(e["involvedObject"]["kind"], e["involvedObject"]["name"], e["reason"]) for e in json.loads(done.stdout)["items"]]
        eventually(lambda: ("Secret", "more", "Unreadable") in events(), "an Event of the Secret", every=0.2)

    def test_keys_come_and_go_while_it_runs(self):
        self.door.write("all.yaml", secret("all", {"carol": CAROL}))
        eventually(lambda: self.door.completion(headers=bearer(CAROL)).status == 200, "the new key to be taken")
        self.assertEqual(self.door.completion(headers=bearer(ALICE)).status, 401)
        self.door.remove("all.yaml")
        self.door.remove("some.yaml")
        eventually(lambda: self.door.completion(headers=bearer(CAROL)).status == 401, "no key to be left")
        self.assertEqual(self.door.completion().status, 401)

    def test_an_annotation_that_cannot_be_read_opens_nothing(self):
        self.door.write("all.yaml", secret("all", {"alice": ALICE}, tokens_per_minute="many"))
        eventually(lambda: self.door.completion(headers=bearer(ALICE)).status == 401, "its keys to be refused")

    def test_tokens_are_checked_before_and_charged_after(self):
        self.one.script = lambda request, reply: reply.json(completion("sql-lora", 30, 40))
        self.door.write("all.yaml", secret("all", {"alice": ALICE}, tokens_per_minute=100, requests_per_minute=50))

        def limited():
            return self.door.completion(headers=bearer(ALICE)).header("x-ratelimit-limit-tokens") == "100"

        eventually(limited, "the limit to hold")
        while time.time() % 60 > 57:
            time.sleep(0.2)
        answers = [self.door.completion(headers=bearer(ALICE)) for _ in range(3)]
        last = answers[-1]
        self.assert_openai_error(last, 429)
        self.assertEqual(last.header("x-tidegate-refused"), "token-limit")
        self.assertEqual(last.header("x-ratelimit-remaining-tokens"), "0")
        self.assertTrue(last.header("x-ratelimit-reset-tokens").endswith("s"))
        self.assertTrue(1 <= int(last.header("retry-after")) <= 60)
        self.assertEqual(answers[0].header("x-ratelimit-limit-requests"), "50")
        # Another model of the same key has an account of its own, and so has another key.
        self.assertEqual(self.door.completion("tweet-summary", headers=bearer(ALICE)).status, 200)

    def test_a_stream_is_charged_and_never_cut(self):
        self.door.write("all.yaml", secret("all", {"alice": ALICE}, tokens_per_day=1))
        eventually(lambda: self.door.completion("base", headers=bearer(ALICE)).header("x-ratelimit-limit-tokens") == "1",
                   "the limit to hold")
        stream = self.door.completion(headers=bearer(ALICE), stream=True)
        self.assertEqual(stream.events()[-1], "[DONE]")
        refused = self.door.completion(headers=bearer(ALICE))
        self.assertEqual((refused.status, refused.header("x-should-retry")), (429, "false"))
