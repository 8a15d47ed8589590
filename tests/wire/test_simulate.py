"""`tidegate simulate`: same seed, same output; traces of one's own; clear words for bad files."""

import gzip
import json
import pathlib
import subprocess

from harness import settings
from harness.case import WireTest


class Simulate(WireTest):
    def simulate(self, *args):
        return subprocess.run([settings.BINARY, "simulate", *map(str, args)], capture_output=True, text=True, timeout=120)

    def rows(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.split("\n\n", 1)[1].splitlines()
        return {line[:26].strip(): line[26:].split() for line in lines[1:4]}

    def test_a_day_in_seconds_and_the_same_again(self):
        day = ("--requests", 30000, "--max", 20)
        once, again = self.simulate(*day), self.simulate(*day)
        self.assertEqual(once.returncode, 0, once.stderr)
        self.assertEqual(once.stdout, again.stdout)
        self.assertNotEqual(once.stdout, self.simulate(*day, "--seed", 2).stdout)
        self.assertEqual(3, sum("unanswered" not in line and line.rstrip().endswith(" 0")
                                for line in once.stdout.splitlines()), once.stdout)

    def test_timeline_and_step(self):
        done = self.simulate("--shape", "step", "--rate", 4, "--on-premises", 1, "--max", 6, "--timeline")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"00:2\d:\d\d  replicas 1 -> [2-6]\n")
        self.assertRegex(done.stdout, r"cloud-1 asked of cloud\n")
        self.assertRegex(done.stdout, r"cloud-1 given back\n")

    def test_traces_of_ones_own(self):
        path = pathlib.Path(self.folder) / "mine.csv.gz"
        with gzip.open(path, "wt") as out:
            out.write("t_s,in_tokens,out_tokens\n")
            out.writelines(f"{i / 5},{100 + i % 900},{1 + i % 200}\n" for i in range(2000))
        done = self.simulate("--trace", path, "--max", 8)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("mine.csv.gz: 2000 requests in 0.11 h", done.stdout)

    def test_ways_of_choosing(self):
        path = pathlib.Path(self.folder) / "turns.jsonl"
        with open(path, "w") as out:
            for i in range(900):
                talk, turn = i % 30, i // 30
                ids = [0] + [1000 * talk + b for b in range(1, 2 * turn + 3)]
                out.write(json.dumps({"timestamp": i * 400, "input_length": 512 * len(ids) + 10, "output_length": 50,
                                      "hash_ids": ids}) + "\n")
        done = self.simulate("picking", "--trace", path, "--cache-tokens", 4000000)
        self.assertEqual(done.returncode, 0, done.stderr)
        hits = {line.split("  ")[0]: float(line.split()[-3]) for line in done.stdout.splitlines()[3:7]}
        self.assertLess(hits["round robin"], hits["tidegate"])
        self.assertGreater(hits["tidegate"], 0.9)

    def test_what_cannot_be_used_is_named(self):
        bad = pathlib.Path(self.folder) / "bad.csv"
        bad.write_text("t_s,in_tokens,out_tokens\n0,10,10\n1,ten,10\n")
        for args, words in [
            (("--trace", bad), f'{bad}:3 prompt is "ten"'),
            (("--trace", pathlib.Path(self.folder) / "none.csv"), "cannot be opened"),
            (("picking", "--trace", pathlib.Path(self.folder) / "none.jsonl"), "cannot be opened"),
            (("--profile", "abacus"), "choose one of llama-2-7b-a10"),
            (("--boot", "soon"), "--boot"),
            (("--min", 5, "--max", 4), "--max is below --min"),
        ]:
            done = self.simulate(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stdout, "")
        good = pathlib.Path(self.folder) / "good.csv"
        good.write_text("t_s,in_tokens,out_tokens\n0,10,10\n")
        self.assertIn("needs JSON lines with hash_ids", self.simulate("picking", "--trace", good).stderr)
