"""A client that shows the bytes: requests are given as they shall be sent, answers keep what came."""

import json
import socket

from . import settings


class Closed(Exception):
    """The other side ended the connection before the answer was complete."""

    def __init__(self, got):
        super().__init__(f"connection closed after {got[:200]!r}")
        self.got = got


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # list of (lower-case name, value)
        self.body = body

    def header(self, name, default=None):
        return next((value for key, value in self.headers if key == name.lower()), default)

    def json(self):
        return json.loads(self.body)

    def events(self):
        """The data of a server-sent event stream, in order."""
        return [line[5:].strip() for line in self.body.decode().splitlines() if line.startswith("data:")]

    def __repr__(self):
        return f"Answer({self.status}, {self.body[:300]!r})"


def post_bytes(path, body, host="test.com", headers=(), length=True):
    body = body if isinstance(body, bytes) else body.encode()
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def json_body(**fields):
    return json.dumps(fields)


class Connection:
    """One TCP connection. Reads block for at most `timeout` seconds."""

    def __init__(self, address, port, timeout=None, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout or settings.PATIENCE_S)
        self.socket.connect((address, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with RST instead of FIN, as a crashed client does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed(self.pending)
        self.pending += data

    def until(self, mark):
        while mark not in self.pending:
            self._more()
        found, _, self.pending = self.pending.partition(mark)
        return found + mark

    def exactly(self, count):
        while len(self.pending) < count:
            self._more()
        data, self.pending = self.pending[:count], self.pending[count:]
        return data

    def read_head(self):
        start, *lines = self.until(b"\r\n\r\n").decode("latin-1").rstrip("\r\n").split("\r\n")
        headers = []
        for line in lines:
            name, _, value = line.partition(":")
            headers.append((name.lower(), value.strip()))
        return Answer(int(start.split(" ")[1]), headers, b"")

    def read_chunk(self):
        """The next chunk's data; empty at the end."""
        size = int(self.until(b"\r\n").split(b";")[0], 16)
        if size == 0:
            while self.until(b"\r\n") != b"\r\n":
                pass
            return b""
        data = self.exactly(size)
        assert self.exactly(2) == b"\r\n"
        return data

    def read_body(self, answer):
        if answer.status in (204, 304) or 100 <= answer.status < 200:
            return b""
        if (answer.header("transfer-encoding") or "").lower() == "chunked":
            body = b""
            while chunk := self.read_chunk():
                body += chunk
            return body
        if answer.header("content-length") is not None:
            return self.exactly(int(answer.header("content-length")))
        try:
            while True:
                self._more()
        except Closed:
            body, self.pending = self.pending, b""
            return body

    def read(self):
        answer = self.read_head()
        while 100 <= answer.status < 200:
            answer = self.read_head()
        answer.body = self.read_body(answer)
        return answer

    def ask(self, data):
        self.send(data)
        return self.read()

    def closed_by_peer(self):
        """True if the next thing that comes is the end of the connection."""
        if self.pending:
            return False
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
