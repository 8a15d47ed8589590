"""`tidegate engine --calibrate URL` finds out how long a running engine's steps take, and says flags that simulate it."""

import re
import shlex
import subprocess

from harness import Connection, WireTest, post_bytes, settings
from harness.case import slow
from harness.client import json_body
from harness.process import Process, eventually, free_port

DEMO = settings.ROOT / "examples/models"


def figures(text):
    """The step model of a report, as a dict; linear-ms as points."""
    words = shlex.split(re.search(r"^  (tidegate engine --simulate .*)$", text, re.M)[1])
    model = dict(part.split("=", 1) for part in words[words.index("--step-model") + 1].split(","))
    points = [tuple(map(float, point.split(":"))) for point in model.pop("linear-ms").split("/")]
    return words, {name: float(value) for name, value in model.items()}, points


def held_out(text):
    """Medians of relative errors, in percent."""
    return {name: float(median) for name, median in re.findall(r"^(first token|whole answer) +([\d.]+) %", text, re.M)}


class Calibrate(WireTest):
    def serve(self, *flags):
        port = free_port()
        process = self.own(Process([settings.BINARY, "engine", "--host", "127.0.0.1", "--port", port, *flags], self.folder,
                                   f"engine-{port}"))

        def ready():
            self.assertTrue(process.alive(), process.log())
            try:
                with Connection("127.0.0.1", port) as client:
                    return client.ask(b"GET /health HTTP/1.1\r\nHost: e\r\n\r\n").status == 200
            except OSError:
                return False

        eventually(ready, "the engine answers")
        return port

    def calibrate(self, port, seconds, *flags):
        done = subprocess.run([settings.BINARY, "engine", "--calibrate", f"http://127.0.0.1:{port}/v1", "--calibrate-seconds",
                               str(seconds), *flags], capture_output=True, text=True, timeout=seconds + 120)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @slow
    def test_a_simulated_gpu_is_found_again(self):
        port = self.serve("--simulate=llama-2-7b-a10", "--enable-lora", "--max-loras", "2", "--lora-modules", "a=/a", "b=/b")
        text = self.calibrate(port, 25)
        words, model, points = figures(text)
        # Its figures: 30.5 ms for a token, 103 for 512, 397.5 for 2048, 1.1 us per token of context. This machine adds its own.
        at = dict(points)
        self.assertGreater(at[1], 27)
        self.assertLess(at[1], 40)
        self.assertGreater(at[512], 85)
        self.assertLess(at[512], 130)
        self.assertGreater(model["context-us"], .5)
        self.assertLess(model["context-us"], 1.8)
        self.assertGreater(model["adapter-base"] + model["adapter-each"], 1.6)  # 2.019
        self.assertLess(model["adapter-base"] + model["adapter-each"], 2.4)
        for what, median in held_out(text).items():
            self.assertLess(median, 30, f"{what}\n{text}")
        # What it prints can be started, and answers.
        again = self.serve(*words[2:])
        with Connection("127.0.0.1", again) as client:
            answer = client.ask(post_bytes("/v1/completions", json_body(prompt="x", max_tokens=2)))
            self.assertEqual(answer.status, 200, answer)

    @slow
    def test_the_cpu_engine_is_measured(self):
        port = self.serve("--model", DEMO / "demo-llama", "--served-model-name", "demo", "--enable-lora", "--max-loras", "2",
                          "--lora-modules", f"sql={DEMO}/adapters/sql-lora", f"tweet={DEMO}/adapters/tweet-summary")
        text = self.calibrate(port, 8)
        _, model, points = figures(text)
        self.assertGreater(points[0][1], 0)
        self.assertEqual([tokens for tokens, _ in points], sorted(tokens for tokens, _ in points))
        self.assertEqual(set(held_out(text)), {"first token", "whole answer"})

    def test_mistakes_are_told(self):
        for url, words in ((f"http://127.0.0.1:{free_port()}", "refuse"), ("localhost:8000", "use a URL like"),
                           ("http://127.0.0.1:99999", "no port from 1 to 65535")):
            done = subprocess.run([settings.BINARY, "engine", "--calibrate", url], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(words, done.stderr)
        done = subprocess.run([settings.BINARY, "engine", "--simulate", "--step-model", "speed=3"], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 2, done)
        self.assertIn("--step-model", done.stderr)
        self.assertIn("context-us", done.stderr)
        port = self.serve("--simulate=instant", "--api-key", "secret")
        done = subprocess.run([settings.BINARY, "engine", "--calibrate", f"http://127.0.0.1:{port}"], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("401", done.stderr)
