#!/usr/bin/env python3
"""Makes seeds for the fuzz targets from the recorded frames: seeds.py FIXTURES CORPUS.

Each seed is what a connection carries around one frame, or a call and its answer, as the pieces that
fuzz/src/lib.rs takes apart. Header blocks are literals without Huffman code; those with it are the
examples of RFC 7541, appendix C.
"""
import os
import sys

sys.path.append(os.path.join(os.path.dirname(__file__), "../../codec/fuzz"))
from codec_seeds import frames, write  # noqa: E402

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, PADDED = 1, 4, 8

# C.4 and C.6: three requests and three responses of one connection each.
HUFFMAN = [
    [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ],
    [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        "4883640effc1c0bf",
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27"
        "087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
    ],
]


def piece(kind, data=b"", times=1):
    return bytes([kind | (times - 1) << 3]) + len(data).to_bytes(2, "big") + data


def http2(kind, flags, stream, payload, by=4, times=1):
    return piece(by, bytes([kind, flags, stream]) + payload, times)


def dubbo(frame, by=2, times=1):
    return piece(by, frame[2:12] + frame[16:], times)


def integer(first, bits, value):
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def block(fields, form=0x40):
    """Literals with new names: 0x40 for the table, 0 and 0x10 not, the latter never."""
    texts = lambda field: b"".join(integer(0, 7, len(text)) + text for text in field)
    return b"".join(bytes([form]) + texts(field) for field in fields)


def request_fields(frame):
    strings, at = [], 16
    # The first strings of a body in Hessian 2 are the versions and the names; all of them are short.
    while len(strings) < 4 and at < len(frame) and frame[at] < 0x20:
        strings.append(frame[at + 1 : at + 1 + frame[at]])
        at += 1 + frame[at]
    service, method = (strings[1], strings[3]) if len(strings) == 4 else (b"unreadable", b"unreadable")
    return [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":authority", service.lower() + b".dubbo"),
        (b":path", b"/" + service + b"/" + method),
        (b"content-type", b"application/x-dubbo2"),
        (b"dubbo-serialization", b"hessian2"),
        (b"tri-service-version", b"1.0"),
        (b"dubbo.tag", b"canary"),
    ]


RESPONSE = [(b":status", b"200"), (b"content-type", b"application/x-dubbo2"), (b"dubbo-status", b"20")]
LOCAL = [(b":status", b"503"), (b"content-type", b"text/plain")]
TRIPLE = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/com.acme.Orders/create"),
    (b":authority", b"10.0.0.1:50051"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
    (b"tri-service-version", b"1.0"),
]
ONE_STREAM = b"\0\3\0\0\0\1"
SMALL_WINDOW = b"\0\4\0\0\0\x40"


def caller(call, answer):
    """What the caller's half gets."""
    settings = http2(SETTINGS, 0, 0, b"")
    head = http2(HEADERS, END_HEADERS, 1, block(RESPONSE))
    body = http2(DATA, END_STREAM, 1, answer)
    yield settings + dubbo(call) + head + body
    yield settings + dubbo(call) + head + http2(DATA, 0, 1, answer[:20]) + http2(DATA, 1, 1, answer[20:])
    local = http2(HEADERS, END_HEADERS, 1, block(LOCAL)) + http2(DATA, END_STREAM, 1, b"no healthy upstream")
    yield settings + piece(0, call[:30]) + piece(0, call[30:]) + local
    queued = http2(SETTINGS, 0, 0, ONE_STREAM) + dubbo(call, times=4)
    yield queued + piece(6, b"\0\x20\0") + http2(RESET, 0, 1, b"\0\0\0\7") + head + body
    stalled = http2(SETTINGS, 0, 0, SMALL_WINDOW) + dubbo(call, times=8)
    yield stalled + http2(WINDOW, 0, 1, b"\0\0\1\0", times=4) + http2(GOAWAY, 0, 0, b"\0\0\0\1\0\0\0\0") + piece(7)


def provider(call, answer):
    """What the provider's half gets. Its first id is 1, of slot 0."""
    answer = answer[:4] + (1 << 24).to_bytes(8, "big") + answer[12:]
    settings = http2(SETTINGS, 0, 0, b"")
    head = http2(HEADERS, END_HEADERS, 1, block(request_fields(call)))
    yield settings + head + http2(DATA, END_STREAM, 1, call) + dubbo(answer)
    cut = http2(DATA, 0, 1, call[:20]) + http2(DATA, END_STREAM, 1, call[20:])
    yield settings + head + cut + piece(0, answer[:30]) + piece(0, answer[30:])
    many = http2(HEADERS, END_HEADERS, 1, block(request_fields(call), 0), times=8)
    padded = http2(DATA, END_STREAM | PADDED, 1, b"\4" + call + b"\0\0\0\0", times=8)
    yield http2(SETTINGS, 0, 0, SMALL_WINDOW) + many + padded + dubbo(answer, times=2) + piece(6, b"\1\x20\0") + piece(7)


def triple(payload):
    """What stands between a client of HTTP/2 and its manager."""
    settings = http2(SETTINGS, 0, 0, b"\0\1\0\0\0\x80", by=5) + http2(SETTINGS, 1, 0, b"", by=2)
    whole = block(TRIPLE)
    head = http2(HEADERS, END_HEADERS, 1, whole, by=2)
    yield settings + head + http2(DATA, END_STREAM, 1, payload, by=2) + http2(HEADERS, 5, 1, block(TRIPLE[4:], 0x10), by=5)
    parts = http2(HEADERS, 0, 1, whole[:50], by=2) + http2(CONTINUATION, END_HEADERS, 1, whole[50:], by=2)
    yield settings + parts + http2(DATA, 0, 1, payload, by=2) + http2(HEADERS, 5, 1, block([(b"a", b"b")], 0x10), by=2)
    yield settings + http2(HEADERS, 0x2D, 1, b"\2" + b"\0\0\0\0\1" + whole + b"\0\0", by=2, times=4) + piece(6, b"\1\0\0")


def seeds(call, answer):
    for seed in caller(call, answer):
        yield "to_http2", seed
        yield "http2", b"\0\3" + seed
    for seed in provider(call, answer):
        yield "to_dubbo", seed
        yield "http2", b"\1\3" + seed
    for seed in triple(answer):
        yield "authority", seed
    forms = [block(request_fields(call), form) for form in (0, 0x10, 0x40)]
    yield "hpack", b"".join(piece(1, form) for form in forms)


def blocks():
    for connection in HUFFMAN:
        yield "hpack", b"".join(piece(7, bytes.fromhex(hexed)) for hexed in connection)
    yield "hpack", piece(1, b"\x3f\x31") + piece(1, block(RESPONSE)) + piece(1, b"\xbe\xbf\xc0")


def main():
    fixtures, corpus = sys.argv[1:]
    call = None
    write(corpus, blocks())
    for frame in frames(fixtures):
        if len(frame) > 1500:
            continue
        if frame[2] & 0x80:
            call = frame
        elif call is not None:
            write(corpus, seeds(call, frame))
        write(corpus, [("to_http2", dubbo(frame)), ("to_dubbo", dubbo(frame))])


main()
