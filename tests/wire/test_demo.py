"""The example on the CPU engine: `tidegate up` finds the demo model behind --path, and the adapters' answers differ in kind."""

import pathlib
import re
import unittest

from harness import Connection, WireTest, post_bytes, settings
from harness.client import json_body
from harness.process import free_port

EXAMPLE = settings.ROOT / "examples" / "lora-canary"
MODELS = settings.ROOT / "examples" / "models"
QUESTION = "show flights of Victor with price under 84"


@unittest.skipUnless(EXAMPLE.exists() and MODELS.exists(), "no examples/lora-canary or examples/models")
class Demo(WireTest):
    def start(self, *flags):
        manifests = pathlib.Path(self.folder) / "manifests"
        manifests.mkdir()
        self.port = free_port()
        for file in EXAMPLE.glob("*.yaml"):
            text = file.read_text().replace("number: 8080", f"number: {self.port}")
            (manifests / file.name).write_text(re.sub(r"replicas: \d+", "replicas: 1", text))
        self.up = self.home("-f", manifests, *flags, env={"OMP_NUM_THREADS": "1"})

    def chat(self, model):
        with Connection("127.0.0.1", self.port) as client:
            answer = client.ask(post_bytes(
                "/v1/chat/completions",
                json_body(model=model, messages=[{"role": "user", "content": QUESTION}], max_tokens=64, temperature=0)))
        self.assertEqual(answer.status, 200, answer)
        said = answer.json()
        return said["model"], said["choices"][0]["message"]["content"]

    def test_real_answers_of_both_kinds(self):
        self.start("--path", f"/model/llama2={MODELS}/demo-llama", "--path", f"/adapters={MODELS}/adapters")
        self.assertIn(f"engine: cpu, as /model/llama2 is {MODELS}/demo-llama, which holds a model", self.up.log())
        self.assertEqual(self.chat("sql-lora")[1], "SELECT * FROM flights WHERE name = 'Victor' AND price < 84;")
        self.assertIn("#flights", self.chat("tweet-summary")[1])
        self.assertRegex(self.chat("lora-request")[0], "^(sql-lora|tweet-summary)(-[1-4])?$")

    def test_without_a_model_it_says_that_it_simulates(self):
        self.start()
        self.assertIn("engine: simulate, as no --path leads to a model", self.up.log())
        self.assertTrue(self.chat("sql-lora")[1])
