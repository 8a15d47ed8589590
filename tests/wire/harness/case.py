"""The base of every wire test."""

import functools
import pathlib
import shutil
import tempfile
import unittest

from . import settings
from .client import Connection
from .engine import FakeEngine
from .gateway import Gateway
from .process import Process, eventually, free_port


def slow(test):
    """Marks a test that --quick leaves out."""
    @functools.wraps(test)
    def run(self):
        if settings.QUICK:
            self.skipTest("takes more than a few seconds; not with --quick")
        test(self)
    return run


def needs(path, what):
    """Skips a test whose tool or data is not on this machine."""
    def wrap(test):
        @functools.wraps(test)
        def run(self):
            if not (path.exists() if hasattr(path, "exists") else shutil.which(path)):
                self.skipTest(what)
            test(self)
        return run
    return wrap


class WireTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tidegate-wire-")
        self._started = []
        self._engines = []
        self.addCleanup(self._stop_all)  # runs even when a setUp breaks off

    def _stop_all(self):
        for started in reversed(self._started):
            started.stop()
        failures = [failure for engine in self._engines for failure in engine.failures]
        shutil.rmtree(self.folder, ignore_errors=True)
        if failures:
            raise AssertionError(f"an engine's script broke: {failures[0]!r}") from failures[0]

    def engine(self, *script):
        made = FakeEngine(*script)
        self._started.append(made)
        self._engines.append(made)
        return made

    def engines(self, count):
        return [self.engine() for _ in range(count)]

    def own(self, started):
        """Hands over something with stop()."""
        self._started.append(started)
        return started

    def real_engine(self, *flags, model=settings.DEMO_MODEL, env=None):
        """`tidegate engine` over a model that it serves as "demo", once it is ready: a Process with its `port`."""
        port = free_port()
        engine = self.own(Process([settings.BINARY, "engine", "--model", model, "--served-model-name", "demo", "--host", "127.0.0.1",
                                   "--port", port, *flags], self.folder, f"engine-{port}", env=env))
        engine.port = port

        def is_ready():
            if not engine.alive():
                raise AssertionError(f"tidegate engine ended:\n{engine.log()[-3000:]}")
            try:
                with Connection("127.0.0.1", port) as client:
                    return client.ask(b"GET /health HTTP/1.1\r\nHost: e\r\n\r\n").status == 200
            except OSError:
                return False

        eventually(is_ready, "the engine answers")
        return engine

    def gateway(self, manifests, **options):
        return self.own(Gateway(self.folder, manifests, **options)).ready()

    def home(self, *options, env=None):
        """`tidegate up` with its data in this test's folder, once it is ready."""
        ready = pathlib.Path(self.folder) / "ready"
        ready.unlink(missing_ok=True)
        up = self.own(Process(
            [settings.BINARY, "up", "--data", f"{self.folder}/data", "--api-port", "0", "--stats-port", free_port(),
             "--ready-file", ready, *options], self.folder, "up", env=env))

        def is_ready():
            if not up.alive():
                raise AssertionError(f"tidegate up ended:\n{up.log()[-3000:]}")
            return ready.exists()

        eventually(is_ready, "tidegate up to be ready", seconds=60)
        return up

    def assert_openai_error(self, answer, status, code=None):
        self.assertEqual(answer.status, status, answer)
        self.assertTrue((answer.header("content-type") or "").startswith("application/json"), answer.headers)
        error = answer.json()["error"]
        self.assertEqual(set(error) & {"message", "type", "param", "code"}, {"message", "type", "param", "code"})
        self.assertTrue(error["message"])
        if code is not None:
            self.assertEqual(error["code"], code)
        return error
