"""A strict HTTP/1.1 reader of requests, to hold others against: RFC 9112 to the letter, and no second reading of anything.

    read(data) -> (request, bytes taken), or NEED for an unfinished one; raises Bad for what is no request.
"""

import re


class Bad(Exception):
    pass


NEED = object()

_START = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP/1\.([01])\Z")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*\Z")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t \x21-\x7e\x80-\xff]*)?\Z")
_HEAD_MAX = 128 * 1024


class Request:
    def __init__(self, method, target, minor, fields, body):
        self.method, self.target, self.minor, self.fields, self.body = method, target, minor, fields, body

    def values(self, name):
        return [value for key, value in self.fields if key == name]

    def options(self):
        """What its Connection fields name."""
        return {option.strip().lower() for value in self.values(b"connection") for option in value.split(b",")}

    def closes(self):
        return b"close" in self.options() or (self.minor == 0 and b"keep-alive" not in self.options())


def _line(data, at):
    """(line, where the next begins), or NEED. A CR or LF that is not part of CRLF is nothing to recover from."""
    end = data.find(b"\n", at)
    line = data[at:end if end >= 0 else len(data)]
    if end < 0:
        if b"\r" in line[:-1] or len(line) > _HEAD_MAX:
            raise Bad("bare CR, or endless line")
        return NEED
    if not line.endswith(b"\r") or b"\r" in line[:-1]:
        raise Bad("bare CR or LF")
    return line[:-1], end + 1


def _fields(data, at):
    """(fields, where the body begins), or NEED."""
    fields = []
    while True:
        got = _line(data, at)
        if got is NEED:
            return NEED
        line, at = got
        if not line:
            return fields, at
        match = _FIELD.match(line)
        if not match:
            raise Bad(f"field {line[:40]!r}")
        fields.append((match[1].lower(), match[2]))


def _chunked(data, at):
    body = b""
    while True:
        got = _line(data, at)
        if got is NEED:
            return NEED
        line, at = got
        match = _CHUNK.match(line)
        if not match:
            raise Bad(f"chunk size {line[:40]!r}")
        size = int(match[1], 16)
        if size == 0:
            got = _fields(data, at)
            return NEED if got is NEED else (body, got[1])
        if size > 1 << 40:
            raise Bad("chunk size")
        if len(data) < at + size + 2:
            if data[at + size:at + size + 1] not in (b"", b"\r"):
                raise Bad("no CRLF behind a chunk")
            return NEED
        if data[at + size:at + size + 2] != b"\r\n":
            raise Bad("no CRLF behind a chunk")
        body += data[at:at + size]
        at += size + 2


def read(data):
    got = _line(data, 0)
    if got is NEED:
        return NEED
    line, at = got
    start = _START.match(line)
    if not start:
        raise Bad(f"start line {line[:40]!r}")
    got = _fields(data, at)
    if got is NEED:
        return NEED
    fields, at = got
    request = Request(start[1], start[2], int(start[3]), fields, b"")
    if len(request.values(b"host")) != 1:
        raise Bad("not one Host")
    lengths, codings = request.values(b"content-length"), request.values(b"transfer-encoding")
    if codings:
        if lengths or request.minor == 0 or len(codings) > 1 or codings[0].lower() != b"chunked":
            raise Bad("framing in two ways")
        got = _chunked(data, at)
        if got is NEED:
            return NEED
        request.body, at = got
    elif lengths:
        if len(lengths) > 1 or not re.fullmatch(rb"[0-9]{1,15}", lengths[0]):
            raise Bad("Content-Length")
        size = int(lengths[0])
        if len(data) < at + size:
            return NEED
        request.body, at = data[at:at + size], at + size
    return request, at


def read_all(data):
    """(requests up to the first that is none, is not finished or ends the connection; "clean", "unfinished", "bad" or "closed")."""
    requests = []
    while data:
        try:
            got = read(data)
        except Bad:
            return requests, "bad"
        if got is NEED:
            return requests, "unfinished"
        requests.append(got[0])
        data = data[got[1]:]
        if requests[-1].closes():
            return requests, "closed"
    return requests, "clean"
