"""Children that cannot outlive the tests."""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import time

from . import settings

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def eventually(check, what, seconds=None, every=0.01):
    """The first true value of check(); an assertion error naming `what` if there is none in time."""
    end = time.monotonic() + (seconds or settings.PATIENCE_S)
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(every)


def free_port(address="127.0.0.1"):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, 0))
        return probe.getsockname()[1]


class Process:
    def __init__(self, command, folder, name, env=None):
        self.name = name
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        mark, value = settings.MARK.split("=")
        with open(self.log_path, "wb") as log:
            self.child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                env={**os.environ, **(env or {}), mark: value}, preexec_fn=_die_with_parent,
            )

    @property
    def pid(self):
        return self.child.pid

    def log(self):
        return self.log_path.read_text(errors="replace")

    def alive(self):
        return self.child.poll() is None

    def wait(self, seconds=None):
        try:
            return self.child.wait(seconds or settings.PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs; its log ends:\n{self.log()[-2000:]}") from None

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self):
        """SIGTERM, and SIGKILL for one that does not listen. The exit status."""
        if self.alive():
            self.child.terminate()
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return self.child.returncode


def left_behind():
    """Processes of these tests that still live, as "pid command"."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if settings.MARK.encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(f"{entry.name} {(entry / 'comm').read_text().strip()}")
    return found
