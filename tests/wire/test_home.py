"""`tidegate up` runs the canary walk whole: pods of its own, the gateway before them, and nothing left when it is gone."""

import contextlib
import json
import os
import pathlib
import random
import re
import signal
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections import Counter

from harness import Connection, WireTest, eventually, post_bytes, settings
from harness.process import Process, free_port

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "lora-canary"

KEPT = ("Pod", "apps/Deployment", "apps/ReplicaSet", "Namespace", "Node", "Service")


def stored(database):
    """(kind, name, uid) of what a home that is not running has in its database."""
    with tempfile.TemporaryDirectory() as folder:  # a copy: to read it is to write its log
        for path in database.parent.glob(database.name + "*"):
            shutil.copy(path, folder)
        with contextlib.closing(sqlite3.connect(pathlib.Path(folder) / database.name)) as connection:
            rows = connection.execute("SELECT kind, name, document FROM objects").fetchall()
    return {(kind, name, json.loads(document)["metadata"]["uid"]) for kind, name, document in rows}


class Home:
    """The binary over a copy of the example, on ports and pod addresses of its own."""

    def __init__(self, folder, replicas=3, extra=()):
        self.folder = pathlib.Path(folder)
        self.manifests = self.folder / "manifests"
        self.manifests.mkdir(exist_ok=True)
        self.port = free_port()
        self.stats_port = free_port()
        # Other checkouts may test at the same time.
        self.pod_range = f"127.{random.randint(80, 126)}.{random.randint(0, 255)}.0/24"
        self.extra = extra
        for source in EXAMPLES.glob("*.yaml"):
            text = source.read_text().replace("number: 8080", f"number: {self.port}")
            (self.manifests / source.name).write_text(text)
        self.scale(replicas)
        self.start()

    def start(self):
        self.process = Process(
            [settings.BINARY, "up", "-f", self.manifests, "--data", self.folder / "data", "--pod-range", self.pod_range,
             "--stats-port", self.stats_port, *self.extra],
            self.folder, "up",
        )

    def scale(self, replicas):
        path = self.manifests / "1-engines.yaml"
        fresh = path.with_suffix(".new")
        fresh.write_text(re.sub(r"replicas: \d+", f"replicas: {replicas}", path.read_text()))
        fresh.rename(path)

    def ready(self):
        def done():
            if not self.process.alive():
                raise AssertionError(f"up has ended:\n{self.process.log()}")
            return (self.folder / "data" / "ready").exists()
        eventually(done, "the ready file", seconds=60)
        return self

    def ask(self, **options):
        with Connection("127.0.0.1", self.port) as connection:
            return connection.ask(
                post_bytes("/v1/completions", '{"model":"lora-request","prompt":"hi","max_tokens":2}', **options))

    def pods(self):
        """Process ids of this home's engines."""
        mark = f"TIDEGATE_HOME_DIR={(self.folder / 'data').resolve()}".encode()
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    def stop(self):
        return self.process.stop()


class HomeTest(WireTest):
    def home(self, **options):
        return self.own(Home(self.folder, **options))

    def test_the_walk(self):
        home = self.home().ready()
        served = {home.ask().json()["model"] for _ in range(40)}
        self.assertGreater(len(served), 5)
        self.assertTrue(served <= {f"{base}{n}" for base in ("sql-lora", "tweet-summary")
                                   for n in ("", "-1", "-2", "-3", "-4")}, served)
        self.assertEqual(len(home.pods()), 3)
        home.scale(5)
        eventually(lambda: len(home.pods()) == 5, "five engines")
        home.scale(1)
        eventually(lambda: len(home.pods()) == 1, "one engine", seconds=40)
        eventually(lambda: home.ask().status == 200, "the first answer")

    def test_a_killed_engine_is_replaced_and_costs_no_request(self):
        home = self.home().ready()
        victim = home.pods()[0]
        os.kill(victim, signal.SIGKILL)
        for _ in range(50):
            self.assertEqual(home.ask().status, 200)
        eventually(lambda: len(home.pods()) == 3 and victim not in home.pods(), "a new engine")
        self.assertIn("was ended by signal 9", home.process.log())

    def test_after_kill_9_nothing_is_left_twice(self):
        home = self.home().ready()
        before = set(home.pods())
        home.process.signal(signal.SIGKILL)
        home.process.stop()
        home.start()
        home.ready()
        eventually(lambda: len(home.pods()) == 3, "three pods, and no more")
        after = set(home.pods())
        self.assertFalse(before & after)
        eventually(lambda: home.ask().status == 200, "an answer")

    def test_after_kill_9_readiness_is_not_claimed_and_restarts_are_counted(self):
        home = self.home(replicas=1).ready()
        ready = home.folder / "data" / "ready"
        # A second one that is refused takes nothing from the first.
        second = Process([settings.BINARY, "up", "--data", home.folder / "data", "--stats-port", free_port()], home.folder, "second")
        self.assertEqual(second.wait(), 1, second.log())
        self.assertTrue(ready.exists())
        for restarts in (1, 2):
            home.process.signal(signal.SIGKILL)
            home.process.stop()
            self.assertTrue(ready.exists())
            old = ready.stat().st_mtime_ns
            home.start()
            eventually(lambda: not ready.exists() or ready.stat().st_mtime_ns > old, "the old ready file to go", seconds=10)
            home.ready()
            shown = subprocess.run([settings.BINARY, "get", "pods", "--kubeconfig", home.folder / "data" / "kubeconfig"],
                                   capture_output=True, text=True, timeout=20).stdout
            self.assertEqual([line.split()[3] for line in shown.splitlines()[1:]], [str(restarts)], shown)

    def test_objects_outlive_kill_9_and_files_that_are_not_given_again(self):
        home = self.home().ready()
        database = home.folder / "data" / "tidegate.db"
        home.process.signal(signal.SIGKILL)
        home.process.stop()
        before = stored(database)
        self.assertIn(("Pod", 3), Counter(kind for kind, _, _ in before).items())
        home.manifests = home.folder / "empty"
        home.manifests.mkdir()
        (home.folder / "data" / "ready").unlink()
        home.start()
        home.ready()
        eventually(lambda: len(home.pods()) == 3, "three pods, and no more")
        eventually(lambda: home.ask().status == 200, "an answer")
        home.process.signal(signal.SIGKILL)
        home.process.stop()
        after = stored(database)
        self.assertEqual(before - after, set())  # the same objects, by uid
        self.assertEqual(Counter(kind for kind, _, _ in after if kind in KEPT),
                         Counter(kind for kind, _, _ in before if kind in KEPT))

    def test_a_damaged_database_is_refused_and_left_alone(self):
        home = self.home(replicas=1).ready()
        self.assertEqual(home.stop(), 0)
        database = home.folder / "data" / "tidegate.db"
        content = bytearray(database.read_bytes())
        at = content.index(b'"resourceVersion"')
        content[at + 5] ^= 1
        database.write_bytes(content)
        home.start()
        eventually(lambda: not home.process.alive(), "the end")
        self.assertEqual(home.process.child.returncode, 1)
        self.assertIn("tidegate.db is damaged", home.process.log())
        self.assertIn("away to start empty", home.process.log())
        self.assertEqual(database.read_bytes(), bytes(content))

    def test_an_orderly_end_leaves_nothing(self):
        home = self.home().ready()
        home.process.signal(signal.SIGINT)
        eventually(lambda: not home.process.alive(), "the end", seconds=20)
        self.assertEqual(home.process.child.returncode, 0, home.process.log())
        self.assertEqual(home.pods(), [])
        self.assertFalse((home.folder / "data" / "ready").exists())

    def test_ports_in_use_are_named(self):
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        home = self.home()
        text = (home.manifests / "2-gateway.yaml").read_text()
        fresh = home.manifests / "gateway.new"
        fresh.write_text(text.replace(f"number: {home.port}", f"number: {taken.getsockname()[1]}"))
        fresh.rename(home.manifests / "2-gateway.yaml")
        eventually(lambda: f"127.0.0.1:{taken.getsockname()[1]}" in home.process.log() and "in use" in home.process.log(),
                   "a line about the port")

    def test_a_program_on_every_address_is_named_before_a_pod_starts(self):
        everywhere = socket.create_server(("0.0.0.0", 0))
        self.addCleanup(everywhere.close)
        port = everywhere.getsockname()[1]
        home = self.home(replicas=0)
        path = home.manifests / "1-engines.yaml"
        fresh = home.manifests / "engines.new"
        fresh.write_text(path.read_text().replace("8000", str(port)).replace("replicas: 0", "replicas: 1"))
        fresh.rename(path)
        eventually(lambda: f"listens on every address at port {port}" in home.process.log(), "a line about the port")
