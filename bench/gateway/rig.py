"""The rig's parts: programs pinned to cores, their configurations, and the clock of their CPU time."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RELEASE = ROOT / "build" / "release"
TOOLS = ROOT / "build" / "tools"
WORK = ROOT / "build" / "bench-gateway"
ENGINES = 10


def free_port(address):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, 0))
        return probe.getsockname()[1]


def wait_for(address, port, seconds=10, every=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
            return True
        time.sleep(every)
    return False


def favoured():
    """Ahead of whatever else the machine does, where we may; all programs of the rig alike."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)


class Program:
    """A child on one core, stopped when the rig ends."""

    def __init__(self, name, command, core, log, env=None):
        self.name = name
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(env or {})},
                preexec_fn=favoured,
            )

    def tree(self):
        """The program and its children: nginx has a master and a worker."""
        pids = [self.process.pid]
        for pid in pids:
            with contextlib.suppress(OSError):
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    pids += [int(child) for child in (task / "children").read_text().split()]
        return pids

    def cpu_seconds(self):
        """Processor time of all threads, user and system. From schedstat (nanoseconds) where the kernel has it."""
        total = 0
        for pid in self.tree():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9 if total else sum(self.user_and_system_seconds())

    def user_and_system_seconds(self):
        """The same apart, as far as the kernel's clock tick can tell: good for a share, coarse for a sum."""
        ticks = [0, 0]
        for pid in self.tree():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks[0] += int(fields[11])
            ticks[1] += int(fields[12])
        return [count / os.sysconf("SC_CLK_TCK") for count in ticks]

    def resident_mib(self):
        pages = sum(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.tree())
        return pages * os.sysconf("SC_PAGESIZE") / 2**20

    def pause(self, paused):
        for pid in self.tree():
            os.kill(pid, signal.SIGSTOP if paused else signal.SIGCONT)

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        if not self.alive():
            return
        with contextlib.suppress(OSError):
            self.pause(False)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def nginx(engines, port, core, folder="nginx"):
    """Plain proxying: no log, no buffering of streams (the engine's X-Accel-Buffering), bodies held in memory."""
    folder = WORK / folder
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    servers = "\n".join(f"    server {address};" for address in engines)
    config = folder / "nginx.conf"
    config.write_text(f"""
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/tmp/body;
  proxy_temp_path {folder}/tmp/proxy;
  fastcgi_temp_path {folder}/tmp/fastcgi;
  uwsgi_temp_path {folder}/tmp/uwsgi;
  scgi_temp_path {folder}/tmp/scgi;
  client_max_body_size 64m;
  client_body_buffer_size 1m;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  upstream engines {{
{servers}
    keepalive 512;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://engines;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_read_timeout 3600s;
    }}
  }}
}}
""")
    command = [TOOLS / "usr/sbin/nginx", "-p", folder, "-c", config]
    return Program("nginx", command, core, folder / "log")


def haproxy(engines, port, core, folder="haproxy"):
    """http-no-delay, because without it the events of a stream wait for each other for 100 ms."""
    folder = WORK / folder
    folder.mkdir(parents=True, exist_ok=True)
    servers = "\n".join(f"  server e{i} {address}" for i, address in enumerate(engines))
    config = folder / "haproxy.cfg"
    config.write_text(f"""
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 3600s
  timeout server 3600s
  http-reuse always
  option http-no-delay
frontend front
  bind 127.0.0.1:{port} backlog 1024
  default_backend engines
backend engines
  balance roundrobin
{servers}
""")
    command = [TOOLS / "usr/sbin/haproxy", "-db", "-f", config]
    libraries = {"LD_LIBRARY_PATH": str(TOOLS / "usr/lib/x86_64-linux-gnu")}
    return Program("haproxy", command, core, folder / "log", libraries)


def tidegate(engines, port, core, folder="tidegate", binary=RELEASE / "tidegate", extra=(), under=()):
    """Everything on: JSON parse, draw over ten targets, pick over ten engines that it scrapes, metering, metrics."""
    folder = WORK / folder
    (folder / "manifests").mkdir(parents=True, exist_ok=True)
    template = (pathlib.Path(__file__).parent / "manifests" / "canary.yaml").read_text()
    (folder / "manifests" / "canary.yaml").write_text(
        template.replace("@PORT@", str(port)).replace("@ENGINES@", ",".join(engines))
    )
    command = [*under, binary, "gateway", "-f", folder / "manifests", "--workers", "1",
               "--bind", "127.0.0.1", "--stats-port", free_port("127.0.0.1"), *extra]
    return Program("tidegate", command, core, folder / "log")


def upstream(port, core, tokens, interval_ms, engines=ENGINES, page_bytes=0):
    WORK.mkdir(parents=True, exist_ok=True)
    command = [RELEASE / "bench/gateway/rig_upstream", "--port", port, "--addresses", engines,
               "--tokens", tokens, "--interval-ms", interval_ms, "--page-bytes", page_bytes]
    return Program("upstream", command, core, WORK / "upstream.log")


def load(target, core, mode, seconds, **options):
    """Runs the client to its end; its report."""
    command = ["taskset", "-c", str(core), str(RELEASE / "bench/gateway/rig_load"),
               "--target", target, "--mode", mode, "--seconds", str(seconds)]
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30,
                          preexec_fn=favoured)
    if done.returncode != 0:
        raise RuntimeError(f"rig_load ended with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)
