#!/usr/bin/env python3
"""Makes seeds for the fuzz targets from the recorded frames: codec_seeds.py FIXTURES CORPUS.

A target whose input is not plain bytes takes it apart as the crate `arbitrary` does: single bytes and
the content of texts from the front, the lengths of texts from the back, a byte vector as pairs of "go
on" and a byte.
"""
import hashlib
import os
import sys


def frames(directory):
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".tsv"):
            continue
        with open(os.path.join(directory, name)) as lines:
            for line in lines:
                yield bytes.fromhex(line.rstrip("\n").split("\t")[2])


def length(count, room):
    """The bytes that say `count` where `room` bytes are left beside them."""
    return count.to_bytes(1 if room < 256 else 2, "big")


def vector(data):
    return b"".join(b"\1" + bytes([byte]) for byte in data) + b"\0"


def patch(choice, key, value, body):
    data = bytes([choice]) + key + value + body
    data += length(len(value), len(value) + len(body))
    return data + length(len(key), len(data) - 1)


def jsonb_values(body):
    while body:
        size = int.from_bytes(body[:4], "big")
        yield body[4 : 4 + size]
        body = body[4 + size :]


def seeds(frame):
    flags, status, body = frame[2], frame[3], frame[16:]
    serialization = flags & 0x1F
    if len(frame) > 4096 or serialization not in (2, 23):
        return
    other = 0 if serialization == 2 else 1
    # The target's limit for bodies is 64 bytes: whole frames, and such that are too long.
    yield "stream", vector(frame[:200]) + vector(b"\7\31")
    if serialization == 2:
        yield "hessian2", body
    else:
        for value in jsonb_values(body):
            yield "jsonb", value
    if flags & 0x20:
        yield "response", bytes([other, 0]) + body
    elif flags & 0x80:
        yield "request", bytes([0xFE | other]) + body
        yield "patch", patch(other, b"new", b"value", body)
        yield "patch", patch(other, b"path", b"p", body)
        yield "patch", patch(2 | 8 | other, b"x", b"", body)
    else:
        yield "response", bytes([other | (0 if status == 20 else 2), status]) + body


def write(corpus, seeds):
    for target, seed in seeds:
        directory = os.path.join(corpus, target)
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, hashlib.sha1(seed).hexdigest()), "wb") as out:
            out.write(seed)


if __name__ == "__main__":
    fixtures, corpus = sys.argv[1:]
    for frame in frames(fixtures):
        write(corpus, seeds(frame))
