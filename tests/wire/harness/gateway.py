"""The real gateway over a folder of manifests."""

import pathlib
import signal
import socket

from . import settings
from .client import Connection, json_body, post_bytes
from .process import Process, eventually, free_port


class Gateway:
    def __init__(self, folder, manifests, workers=2, extra=()):
        """`manifests`: file name -> text, in which @PORT@ stands for the listener's port."""
        self.folder = pathlib.Path(folder)
        self.manifests = self.folder / "manifests"
        self.manifests.mkdir(exist_ok=True)
        self.port = free_port()
        self.stats_port = free_port()
        for name, text in manifests.items():
            self.write(name, text)
        self.process = Process(
            [settings.BINARY, "gateway", "-f", self.manifests, "--workers", workers,
             "--bind", "127.0.0.1", "--stats-port", self.stats_port, *extra],
            self.folder, "gateway",
        )

    def write(self, name, text):
        """Replaces a manifest as editors do: a new file moved over the old."""
        fresh = self.folder / f"{name}.new"
        fresh.write_text(text.replace("@PORT@", str(self.port)))
        fresh.rename(self.manifests / name)

    def remove(self, name):
        (self.manifests / name).unlink()

    def ready(self):
        """Waits until the listener accepts; fails with the log if the process ended."""
        def accepts():
            if not self.process.alive():
                raise AssertionError(f"gateway ended with {self.process.child.returncode}:\n{self.process.log()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            except OSError:
                return False
        eventually(accepts, f"a listener on port {self.port}", every=0.0005)
        return self

    def connect(self, **options):
        return Connection("127.0.0.1", self.port, **options)

    def ask(self, data):
        with self.connect() as connection:
            return connection.ask(data)

    def get(self, path, host="test.com"):
        return self.ask(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    def post(self, path, body, **options):
        return self.ask(post_bytes(path, body, **options))

    def completion(self, model="lora-request", host="test.com", headers=(), **fields):
        body = json_body(model=model, prompt="Write as if you were a critic", max_tokens=3, **fields)
        return self.post("/v1/completions", body, host=host, headers=headers)

    def stats(self, path="/stats/prometheus", headers=""):
        with Connection("127.0.0.1", self.stats_port) as connection:
            return connection.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())

    def metric(self, name, **labels):
        """Sum of the samples of that name whose labels include these."""
        total = 0.0
        for line in self.stats().body.decode().splitlines():
            if line.startswith("#"):
                continue
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(f'{key}="{text}"' in series for key, text in labels.items()):
                total += float(value)
        return total

    def terminate(self):
        self.process.signal(signal.SIGTERM)

    def stop(self):
        return self.process.stop()
