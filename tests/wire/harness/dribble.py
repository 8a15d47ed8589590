"""Slow clients, as a process of its own: dribble.py PORT COUNT SECONDS.

Opens COUNT connections, half of which never end their head and half of which never end their body, and sends one byte on each
every SECONDS. One that the gateway closes is opened again. Prints "ready" once all are open.
"""

import collections
import socket
import sys
import time

HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: test.com\r\nContent-Type: application/json\r\n"


def opened(port, number):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(HEAD + (b"X-Slow: " if number % 2 else b'Content-Length: 100000\r\n\r\n{"model":"'))
    connection.setblocking(False)
    return connection


def main(port, count, seconds):
    connections = collections.deque()
    for number in range(count):
        connections.append((number, opened(port, number)))
    print("ready", flush=True)
    pause = seconds / count * 10
    due = time.monotonic()
    while True:
        for _ in range(10):  # ten at a time, spread evenly
            number, connection = connections.popleft()
            try:
                connection.send(b"x")
            except OSError:
                connection.close()
                connection = opened(port, number)
            connections.append((number, connection))
        due += pause
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
