"""Answers that no client wants: one address per way in which a picture request can go wrong.

They lie under `/faults/<kind>.jpg` and serve the tests of everything that fetches.

    404, 500              that status, with a short text
    timeout               accepts the request and never answers
    redirect-metadata     302 to the metadata address of cloud machines
    redirect-loop         302 to itself
    huge                  announces 10 GB and sends them, as long as somebody reads
    huge-chunked          the same without announcing a length
    truncated             a correct answer with the first half of a JPEG
    empty                 200 with no bytes
    text                  200 text/plain "not an image"
    wrong-type            a good JPEG, called text/html
    bomb                  a valid PNG of about 110 kB that declares 30000 x 30000 pixels
    bomb-jpeg             a JPEG of less than 1 kB that declares 30000 x 30000 pixels
    close-mid-body        announces the whole JPEG, sends half, drops the connection
    slow                  a good JPEG at 64 bytes a quarter second
    gzip-bomb             Content-Encoding gzip: 1 MB that unpack to 1 GB of zeros
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import zlib
from collections.abc import Awaitable, Callable
from functools import lru_cache

import cv2
import numpy as np
from aiohttp import web

from wayside.sources.demo.render import encode

HUGE = 10 * 1000**3
SIDE = 30000
_BLOCK = 1 << 24
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@lru_cache(maxsize=1)
def good() -> bytes:
    """A small JPEG with something in it."""
    ramp = np.linspace(0, 255, 320).astype(np.uint8)
    image = np.dstack([np.tile(ramp, (240, 1)), np.tile(ramp[::-1], (240, 1)), np.full((240, 320), 90, np.uint8)])
    cv2.circle(image, (160, 120), 60, (20, 40, 220), -1, cv2.LINE_AA)
    return encode(image)


@lru_cache(maxsize=1)
def png_bomb() -> bytes:
    """A valid one-bit PNG of 30000 x 30000 pixels, all black."""
    pack = zlib.compressobj(9)
    row = bytes(1 + SIDE // 8)
    data = b"".join(pack.compress(row * 500) for _ in range(SIDE // 500)) + pack.flush()
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@lru_cache(maxsize=1)
def jpeg_bomb() -> bytes:
    """A tiny JPEG whose frame header claims 30000 x 30000 pixels."""
    body = bytearray(encode(np.full((16, 16, 3), 90, np.uint8)))
    frame = body.index(b"\xff\xc0")
    body[frame + 5 : frame + 9] = struct.pack(">HH", SIDE, SIDE)
    return bytes(body)


@lru_cache(maxsize=1)
def gzip_bomb() -> bytes:
    """One gzip member that holds 1 GB of zeros: the same block, flushed so that it may be repeated, 64 times."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(_BLOCK)
    block = pack.compress(zeros) + pack.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    crc = 0
    for _ in range(64):
        crc = zlib.crc32(zeros, crc)
    trailer = struct.pack("<II", crc, (_BLOCK * 64) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + block * 64 + last + trailer


def _plain(body: Callable[[], bytes], kind: str = "image/jpeg", **headers: str) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        del request
        extra = {name.replace("_", "-"): text for name, text in headers.items()}
        return web.Response(body=await asyncio.to_thread(body), content_type=kind, headers=extra)

    return answer


def _status(status: int) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(status=status, text=f"{status}: this address fails on purpose")

    return answer


def _redirect(to: str | None) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": to or str(request.rel_url)})

    return answer


async def _timeout(request: web.Request) -> web.StreamResponse:
    await request.app[STOPPING].wait()
    return web.Response(status=503)


def _huge(announced: bool) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
        if announced:
            response.content_length = HUGE
        await response.prepare(request)
        part, sent = good(), 0
        with contextlib.suppress(ConnectionError):
            while sent < HUGE and not request.app[STOPPING].is_set():
                await response.write(part)
                sent += len(part)
                part = bytes(min(1 << 16, HUGE - sent))
        return response

    return answer


async def _close_mid_body(request: web.Request) -> web.StreamResponse:
    body = good()
    response = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _slow(request: web.Request) -> web.StreamResponse:
    body = good()
    response = web.StreamResponse(headers={"Content-Type": "image/jpeg"})
    response.content_length = len(body)
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(body), 64):
            await response.write(body[start : start + 64])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(request.app[STOPPING].wait(), 0.25)
                break
    return response


STOPPING = web.AppKey("stopping", asyncio.Event)

KINDS: dict[str, Handler] = {
    "404": _status(404),
    "500": _status(500),
    "timeout": _timeout,
    "redirect-metadata": _redirect("http://169.254.169.254/latest/"),
    "redirect-loop": _redirect(None),
    "huge": _huge(announced=True),
    "huge-chunked": _huge(announced=False),
    "truncated": _plain(lambda: good()[: len(good()) // 2]),
    "empty": _plain(bytes),
    "text": _plain(lambda: b"not an image", "text/plain"),
    "wrong-type": _plain(good, "text/html"),
    "bomb": _plain(png_bomb, "image/png"),
    "bomb-jpeg": _plain(jpeg_bomb),
    "close-mid-body": _close_mid_body,
    "slow": _slow,
    "gzip-bomb": _plain(gzip_bomb, Content_Encoding="gzip"),
}


async def answer(request: web.Request) -> web.StreamResponse:
    """The handler of /faults/<kind>.jpg."""
    handler = KINDS.get(request.match_info["kind"])
    if handler is None:
        raise web.HTTPNotFound(text=f"no such fault; there are: {', '.join(KINDS)}")
    return await handler(request)
