"""The CPU engine beside the reference libraries: transformers and peft on logits and greedy tokens, tokenizers on strings."""

import json
import os
import pathlib
import subprocess

from harness import Connection, WireTest, post_bytes, settings
from harness.case import needs, slow
from harness.client import json_body
from harness.process import Process, eventually, free_port

PYTHON = settings.ROOT / "build/engine-venv/bin/python"
MAKE = settings.ROOT / "tests/peers/make_peers.py"
NO_PEER = "no transformers, peft and tokenizers under build/engine-venv; `tools/install engine-peers` puts them there"


class EnginePeers(WireTest):
    def make(self, *arguments):
        env = {**os.environ, "TRANSFORMERS_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
        done = subprocess.run([PYTHON, MAKE, *map(str, arguments)], capture_output=True, text=True, timeout=300, env=env)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])

    def serve(self, folder, *flags):
        port = free_port()
        process = Process([settings.BINARY, "engine", "--model", folder, "--served-model-name", "base", "--host", "127.0.0.1",
                           "--port", port, *flags], self.folder, f"engine-{port}")
        self._started.append(process)

        def ready():
            self.assertTrue(process.alive(), process.log())
            try:
                with Connection("127.0.0.1", port) as client:
                    return client.ask(b"GET /health HTTP/1.1\r\nHost: e\r\n\r\n").status == 200
            except OSError:
                return False

        eventually(ready, "the engine answers")
        return port

    @needs(PYTHON, NO_PEER)
    @slow
    def test_logits_and_greedy_tokens_are_those_of_transformers_and_peft(self):
        folder = pathlib.Path(self.folder)
        self.make("models", folder)
        answers = json.loads((folder / "answers.json").read_text())
        for name in [n for n in answers if not n.endswith("-lora")]:
            port = self.serve(folder / name, "--dtype", "float32", "--enable-lora", "--lora-modules",
                              f"adapted={folder / name}-lora")
            for model, want in (("base", answers[name]), ("adapted", answers[f"{name}-lora"])):
                with self.subTest(family=name, model=model), Connection("127.0.0.1", port) as client:
                    answer = client.ask(post_bytes("/v1/completions", json_body(
                        model=model, prompt=want["prompt"], max_tokens=len(want["tokens"]), temperature=0, ignore_eos=True,
                        logprobs=0, return_token_ids=True)))
                    self.assertEqual(answer.status, 200, answer)
                    choice = answer.json()["choices"][0]
                    self.assertEqual(choice["token_ids"], want["tokens"])
                    for ours, theirs in zip(choice["logprobs"]["token_logprobs"], want["logprobs"], strict=True):
                        self.assertAlmostEqual(ours, theirs, delta=2e-3)

    @needs(PYTHON, NO_PEER)
    @slow
    def test_ten_thousand_strings_have_the_tokens_of_the_tokenizers_library(self):
        folder = pathlib.Path(self.folder)
        self.make("tokenizers", folder, 10_000)
        for kind in ("llama3", "qwen2", "llama2"):
            with self.subTest(kind=kind):
                self.compare_tokens(folder / kind)

    def compare_tokens(self, folder):
        want = json.loads((folder / "strings.json").read_text())
        port = self.serve(folder)
        wrong = []
        with Connection("127.0.0.1", port) as client:
            for text, ids, decoded in zip(want["strings"], want["ids"], want["decoded"], strict=True):
                answer = client.ask(post_bytes("/tokenize", json_body(model="base", prompt=text, add_special_tokens=False)))
                ours = answer.json().get("tokens") if answer.status == 200 else answer
                if ours != ids:
                    wrong.append((text, ours, ids))
                    continue
                answer = client.ask(post_bytes("/detokenize", json_body(model="base", tokens=ids)))
                if answer.status != 200 or answer.json()["prompt"] != decoded:
                    wrong.append((text, answer.json(), decoded))
        self.assertEqual(wrong[:5], [], f"{len(wrong)} of {len(want['strings'])} differ")
