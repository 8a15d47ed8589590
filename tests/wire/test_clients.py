"""Clients that people use: the tutorial's curl, OpenAI's Python SDK, hey."""

import json
import re
import subprocess

from harness import WireTest, manifests, needs, settings

ADAPTERS = {"sql-lora": 1, "tweet-summary": 1}


class Clients(WireTest):
    def setUp(self):
        super().setUp()
        self.door = self.gateway(manifests.canary(self.engines(2), ADAPTERS))
        self.url = f"http://127.0.0.1:{self.door.port}"

    def run_tool(self, *command, **options):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @needs("curl", "no curl on this machine")
    def test_the_tutorials_curl_is_answered_by_an_adapter(self):
        body = '{"model": "lora-request", "prompt": "Write as if you were a critic: San Francisco", "max_tokens": 100, ' \
               '"temperature": 0}'
        answer = json.loads(self.run_tool("curl", "-sf", "-H", "host: test.com", f"{self.url}/v1/completions",
                                          "-H", "Content-Type: application/json", "-d", body))
        self.assertIn(answer["model"], ADAPTERS)
        self.assertEqual(answer["object"], "text_completion")

    @needs("curl", "no curl on this machine")
    def test_curl_streams(self):
        out = self.run_tool("curl", "-sfN", "-H", "host: test.com", f"{self.url}/v1/completions",
                            "-H", "Content-Type: application/json",
                            "-d", '{"model":"lora-request","prompt":"x","stream":true}')
        self.assertTrue(out.rstrip().endswith("data: [DONE]"), out)

    @needs(settings.VENV_PYTHON, "no openai package under build/venv; tools/install test gets it")
    def test_openais_sdk_completes_streams_lists_and_raises(self):
        program = """
import openai, sys
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="none", default_headers={"Host": "test.com"}, max_retries=0)
answer = client.completions.create(model="lora-request", prompt="x")
assert answer.model in ("sql-lora", "tweet-summary"), answer
assert answer.usage.completion_tokens == 3, answer
pieces = [c.choices[0].text for c in client.completions.create(model="lora-request", prompt="x", stream=True)]
assert pieces == [" the", " tide", " turns"], pieces
last = list(client.completions.create(model="lora-request", prompt="x", stream=True,
                                      stream_options={"include_usage": True}))[-1]
assert last.usage.total_tokens == 8, last
assert "lora-request" in [m.id for m in client.models.list()]
try:
    client.completions.create(model="nobody", prompt="x")
    raise SystemExit("no error for an unknown model")
except openai.NotFoundError as error:
    assert error.code == "model_not_found", error
print("all held")
"""
        self.assertEqual(self.run_tool(settings.VENV_PYTHON, "-c", program, self.url).strip(), "all held")

    @needs("hey", "no hey on this machine")
    def test_hey_sees_only_200(self):
        out = self.run_tool("hey", "-n", "600", "-c", "6", "-m", "POST", "-host", "test.com", "-T", "application/json",
                            "-d", '{"model":"lora-request","prompt":"x"}', f"{self.url}/v1/completions")
        self.assertEqual(re.findall(r"\[(\d+)\]\s+(\d+) responses", out), [("200", "600")], out)
