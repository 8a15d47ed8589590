"""A second site: a network namespace behind a router that can stop forwarding, as when a leased line is cut.

Here - router - edge, over pairs of virtual Ethernet. Cut, packets vanish in both directions, and nobody is told.
Needs the right to make namespaces, and iproute2; `usable()` says whether they are there.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess

from .process import Process, eventually

HERE, ROUTER_NEAR, ROUTER_FAR, EDGE = "198.51.100.1", "198.51.100.2", "198.51.100.5", "198.51.100.6"
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def usable():
    if not all(shutil.which(tool) for tool in ("ip", "nsenter", "unshare")):
        return False
    made = subprocess.run(["unshare", "-n", "sh", "-c", "ip link add tg0 type veth peer name tg1 && echo 1 >/proc/sys/net/ipv4/ip_forward"],
                          capture_output=True)
    return made.returncode == 0


def _enter(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        if _libc.setns(handle, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {path}")
    finally:
        os.close(handle)


class Site:
    def __init__(self, folder):
        self.router, self.edge = (Process(["unshare", "-n", "sleep", "900"], folder, name) for name in ("router", "edge-site"))
        here = os.readlink("/proc/self/ns/net")
        for process in (self.router, self.edge):
            eventually(lambda: os.readlink(f"/proc/{process.pid}/ns/net") != here, "a namespace")
        mark = f"{os.getpid() % 100000}"
        near, far = f"tg{mark}n", f"tg{mark}f"
        self._run(f"ip link add {near} type veth peer name tgr netns {self.router.pid}")
        self._run(f"ip addr add {HERE}/30 dev {near} && ip link set {near} up")
        self._run(f"ip addr add {ROUTER_NEAR}/30 dev tgr && ip link set tgr up && "
                  f"ip link add {far} type veth peer name tge netns {self.edge.pid} && "
                  f"ip addr add {ROUTER_FAR}/30 dev {far} && ip link set {far} up", self.router)
        self._run(f"ip link set lo up && ip addr add {EDGE}/30 dev tge && ip link set tge up && ip route add default via {ROUTER_FAR}",
                  self.edge)
        self._run(f"ip route add 198.51.100.4/30 via {ROUTER_NEAR}")
        self.mend()

    @staticmethod
    def _run(commands, process=None):
        enter = ["nsenter", "-t", str(process.pid), "-n"] if process else []
        done = subprocess.run([*enter, "sh", "-c", commands], capture_output=True, text=True, timeout=20)
        if done.returncode != 0:
            raise AssertionError(f"{commands}: {done.stderr}")

    def cut(self):
        self._run("echo 0 >/proc/sys/net/ipv4/ip_forward", self.router)

    def mend(self):
        self._run("echo 1 >/proc/sys/net/ipv4/ip_forward", self.router)

    @contextlib.contextmanager
    def inside(self):
        """What this thread opens or starts meanwhile is at the edge."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _enter(f"/proc/{self.edge.pid}/ns/net")
            yield
        finally:
            _enter(f"/proc/self/fd/{home}")
            os.close(home)

    def stop(self):
        for process in (self.edge, self.router):
            process.stop()  # the pairs of Ethernet go with them
