"""An engine as a pod's program: answers like vLLM, and writes down when it was first found healthy and first asked.

woken_engine.py PORT FILE GATE, in a pod of `tidegate up`. It is healthy once the file GATE exists. FILE gets JSON lines: {"healthy": t},
{"asked": t}, {"count": n, "all": t}, with t of the machine's monotonic clock.
"""

import asyncio
import json
import os
import socket
import sys
import time

ANSWER = json.dumps({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m",
                     "choices": [{"index": 0, "text": " x", "finish_reason": "stop"}],
                     "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
FAST_S = 0.3  # without a further request: the count is written


class Engine(asyncio.Protocol):
    healthy = asked = last = None
    count = 0

    def connection_made(self, transport):
        self.transport, self.pending = transport, b""

    def data_received(self, data):
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            head = self.pending[:end].decode("latin-1").lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0]) if "content-length:" in head else 0
            if len(self.pending) < end + 4 + length:
                return
            self.pending = self.pending[end + 4 + length:]
            self.answer(head.split(" ")[1])

    def answer(self, path):
        now, status = time.monotonic(), "200 OK"
        body = "vllm:num_requests_running{model_name=\"m\"} 0\nvllm:num_requests_waiting{model_name=\"m\"} 0\n"
        if path == "/health":
            body = ""
            if not os.path.exists(sys.argv[3]):
                status = "503 Service Unavailable"
            elif Engine.healthy is None:
                Engine.healthy = now
                note(healthy=now)
        elif path == "/v1/models":
            body = json.dumps({"object": "list", "data": [{"id": "m", "object": "model"}]})
        elif path != "/metrics":
            body = ANSWER
            Engine.count += 1
            Engine.last = now
            if Engine.asked is None:
                Engine.asked = now
                note(asked=now)
        self.transport.write(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


def note(**what):
    with open(sys.argv[2], "a") as file:
        file.write(json.dumps(what) + "\n")


async def count():
    told = 0
    while True:
        await asyncio.sleep(FAST_S / 3)
        if Engine.count != told and time.monotonic() - Engine.last > FAST_S:
            told = Engine.count
            note(count=told, all=Engine.last)


async def main():
    loop = asyncio.get_running_loop()
    listener = socket.create_server((os.environ["TIDEGATE_POD_IP"], int(sys.argv[1])))
    # The loop accepts as many as `backlog` before it reads from any; so few, or it would see the first request late.
    server = await loop.create_server(Engine, sock=listener, backlog=2)
    listener.listen(4096)
    await asyncio.gather(server.serve_forever(), count())


asyncio.run(main())
