"""Pipelines of valid requests and what attackers make of them: doubled and odd lengths and codings, folded lines, bare line ends,
chunk sizes that are none, bytes that flip, go or come."""

from .client import json_body

HIDDEN = b'POST /v1/completions HTTP/1.1\r\nHost: test.com\r\nX-Part: hidden-%s\r\nContent-Length: 24\r\n\r\n{"model":"lora-request"}'
LENGTHS = (b"+%d", b"-%d", b" %d", b"%d ", b"\t%d", b"0%d", b"%d, %d", b"%d,%d", b"%d.0", b"0x%x", b"%d\x0b", b"\xa0%d", b"%de0", b"%d_0",
           b"'%d'", b"", b"9999999999999999999999", b"18446744073709551616", b"%d;", b"%d\x00")
CODINGS = (b"chunked", b"Chunked", b"CHUNKED", b"chunked ", b"\tchunked", b"\x0bchunked", b"chunked\x00", b"xchunked", b"chunkedx", b"chunked, chunked",
           b"chunked,", b",chunked", b"gzip, chunked", b"chunked, gzip", b"identity", b"chunked;q=1", b'"chunked"', b"chun\xc3\xb5ed", b"", b"identity, chunked")
NAMES = (b"%s ", b" %s", b"%s\t", b"\t%s", b"%s\x00", b"\x00%s", b"%s\x0b", b"_%s", b"%s\r", b"\n%s", b"%s:", b"(%s", b"%s\xa0")
SIZES = (b"+%x", b"-%x", b"0x%x", b"0%x", b"0000000000%x", b" %x", b"%x ", b"%x\t", b"%xg", b"%x;", b"%x;a=b", b'%x;a="\n"', b"%x;a\r", b"%x\n",
         b"1000000000000000%x", b"FFFFFFFFFFFFFFF%x", b"%x;\x00", b"%x,%x", b"", b"%x.0", b"%x _", b"%x;a=" + b"b" * 2000)
LINES = (b"X-A: b\n", b"X-A: b\r", b"X-A: b\r\n c\r\n", b"X-A: b\r\n\tc\r\n", b" X-A: b\r\n", b"X-A\r\n", b": b\r\n", b"X-A: b\x00c\r\n", b"X-A: b\r\r\n",
         b"Host: other\r\n", b"Connection: close\r\n", b"Connection: content-length, x-part\r\n", b"Connection: transfer-encoding\r\n",
         b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n", b"Content_Length: 3\r\n", b"Transfer_Encoding: chunked\r\n", b"Trailer: content-length\r\n",
         b"X-HTTP-Method-Override: GET\r\n", b"Keep-Alive: 1\r\n", b"TE: trailers\r\n", b"X-B: \xff\xfe\r\n", b"X-Part: 9\r\n", b"\r\n", b"\n", b"X-\xc3\xa9: 1\r\n")
STARTS = ((b" HTTP/1.1", b" HTTP/1.0"), (b" HTTP/1.1", b" HTTP/1.2"), (b" HTTP/1.1", b" HTTP/2.0"), (b" HTTP/1.1", b" http/1.1"), (b" HTTP/1.1", b""),
          (b" HTTP/1.1", b"  HTTP/1.1"), (b" HTTP/1.1", b"\tHTTP/1.1"), (b" HTTP/1.1", b" HTTP/1.1 "), (b" HTTP/1.1", b" HTTP/01.1"), (b"POST ", b"POST  "),
          (b"POST ", b" POST "), (b"POST ", b"post "), (b"POST ", b"GET "), (b"POST ", b"HEAD "), (b"POST ", b"PUT "), (b"POST ", b"\r\nPOST "),
          (b"POST ", b"\nPOST "), (b"POST ", b"PO(ST "), (b" /v1", b" http://test.com/v1"), (b" /v1", b" http://other/v1"), (b" /v1", b" //v1"),
          (b" /v1", b" /../v1"), (b" /v1", b" /v1#"), (b" /v1", b" /%00/v1"), (b" /v1", b" /v1/./x/../.."), (b"completions ", b"completions?a=%0d%0a "),
          (b"completions ", b"completions?a b "), (b"completions ", b"completions\x00 "), (b"completions ", b"completions\xe9 "))
BYTES = b"\r\n\t \x00\x0b:;,0123456789abcdefAF+-\x7f\x80\xff"


def _some(random, form, number):
    return form.replace(b"%d", b"%d" % number).replace(b"%x", b"%x" % number) if random.random() < 0.9 else form.replace(b"%d", b"%d" % (number + 1))


def request(random, name):
    """One request of pipeline `name`, valid until one of its parts is exchanged for an odd one (about half the time)."""
    body = json_body(model="lora-request", prompt=name, max_tokens=1).encode()
    if random.random() < 0.3:
        body += b" " * random.randrange(40) if random.random() < 0.5 else b"\r\n\r\n"
    if random.random() < 0.15:
        body += HIDDEN % name.encode()  # no JSON, unless the framing is read wrongly
    start = b"POST /v1/completions HTTP/1.1\r\n"
    chunked = random.random() < 0.45
    odd = random.choice(("start", "length", "coding", "name", "both", "twice", "line", "chunk", "end")) if random.random() < 0.5 else None
    if odd == "start":
        start = start.replace(*random.choice(STARTS))
    lines = [b"Host: test.com\r\n", b"Content-Type: application/json\r\n", b"X-Part: %s\r\n" % name.encode()]
    length, coding = b"Content-Length: %d\r\n" % len(body), b"Transfer-Encoding: chunked\r\n"
    framing = [coding] if chunked else [length]
    if odd == "length":
        framing = [b"Content-Length: " + _some(random, random.choice(LENGTHS), len(body)) + b"\r\n"]
    elif odd == "coding":
        framing, chunked = [b"Transfer-Encoding: " + random.choice(CODINGS) + b"\r\n"], True
    elif odd == "name":
        field, _, value = framing[0].partition(b":")
        framing = [random.choice(NAMES).replace(b"%s", field) + b":" + value]
    elif odd == "both":
        framing = [length, coding] if random.random() < 0.5 else [coding, length]
    elif odd == "twice":
        framing += [random.choice((framing[0], b"Content-Length: 0\r\n", b"content-length: %d\r\n" % random.randrange(200),
                                   b"transfer-encoding: identity\r\n"))]
    lines += framing
    random.shuffle(lines)
    if odd == "line":
        lines.insert(random.randrange(len(lines) + 1), random.choice(LINES))
    if chunked:
        body = _chunks(random, body, odd)
    return start + b"".join(lines) + (random.choice((b"\n", b"\r\n\r\n", b"\r\r\n", b"\r")) if odd == "end" else b"\r\n") + body


def _chunks(random, body, odd):
    data, at = b"", 0
    cuts = sorted({random.randrange(1, len(body)) for _ in range(random.randrange(3))} | {len(body)})
    chosen = random.randrange(len(cuts) + 1) if odd == "chunk" else None
    for number, cut in enumerate(cuts):
        size, piece, end = b"%x" % (cut - at), body[at:cut], b"\r\n"
        if number == chosen:
            what = random.randrange(3)
            size = _some(random, random.choice(SIZES), cut - at) if what == 0 else b"%x" % max(0, cut - at + random.choice((-2, -1, 1, 2))) if what == 1 else size
            end = random.choice((b"", b"\n", b"\r", b"xx", b"\r\n\r\n", b"\n\r")) if what == 2 else end
        data += size + (b"\r\n" if random.random() < 0.99 else b"\n") + piece + end
        at = cut
    last = b"0\r\n\r\n"
    if chosen == len(cuts):
        last = random.choice((b"00\r\n\r\n", b"0\n\n", b"0\r\nX-T: 1\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\nHost: other\r\n\r\n", b"0\r\n X: 1\r\n\r\n",
                              b"0;x\r\n\r\n", b"0\r\n", b"", b"-0\r\n\r\n", b"0\r\nX-T: 1\n\r\n", b"0\r\n\n", b"0 \r\n\r\n", b"0\r\nTransfer-Encoding: x\r\n\r\n"))
    return data + last


def pipeline(random, name):
    """One to three requests, some of them with a few bytes changed anywhere: (bytes, how many they were)."""
    count = random.randrange(1, 4)
    data = bytearray(b"".join(request(random, f"{name}-{part}") for part in range(count)))
    if random.random() < 0.4:
        for _ in range(random.randrange(1, 4)):
            at = random.randrange(len(data))
            what = random.randrange(5)
            if what == 0:
                data[at] = random.choice(BYTES)
            elif what == 1:
                del data[at:at + random.choice((1, 1, 1, 2, 8))]
            elif what == 2:
                data[at:at] = bytes([random.choice(BYTES)])
            elif what == 3:
                data[at:at] = data[at:at + random.randrange(1, 60)]
            else:
                data[at] ^= 1 << random.randrange(8)
            if not data:
                data = bytearray(b"\r")
    return bytes(data), count
