"""Small videos for tests, made with PyAV: the same arguments give the same bytes.

    make_clip(path, seconds=4, fps=10, size=(320, 240), moves=(Move("red", (0.0, 0.4), (0.9, 0.4)),))

The container follows from the name: `.mp4`, `.mkv`, `.ts` or `.avi`. A `Move` is a rectangle of one colour that travels
along a straight line on a textured, noisy background. `truncate` cuts a file off; `front=False` leaves the index of an
MP4 at the end, where a file that is cut off loses it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

COLOURS = {  # blue, green, red
    "white": (240, 240, 240),
    "black": (15, 15, 15),
    "red": (30, 30, 210),
    "green": (40, 160, 40),
    "blue": (210, 70, 30),
    "yellow": (30, 220, 230),
    "orange": (20, 130, 240),
    "purple": (160, 40, 130),
}
T0 = datetime(2026, 6, 8, 7, 0, tzinfo=UTC)
_TICKS = 90_000


@dataclass(frozen=True)
class Move:
    """A rectangle that travels; positions are its centre as fractions of the picture, times seconds.

    `grow` is how many times as wide and high it is at the end as it was in the beginning.
    """

    colour: str
    begin: tuple[float, float]
    end: tuple[float, float]
    start_s: float = 0.0
    end_s: float = 1e9
    size: tuple[float, float] = (0.15, 0.2)
    grow: float = 1.0


def make_clip(
    path: Path,
    *,
    seconds: float = 2.0,
    fps: float = 10,
    size: tuple[int, int] = (160, 120),
    codec: str = "libx264",
    moves: Sequence[Move] = (),
    vfr: bool = False,
    rotation: int = 0,
    audio: bool = False,
    seed: int = 0,
    noise: float = 2.0,
    light: float = 0.0,
    front: bool = True,
    first_pts_s: float = 0.0,
    gop: int = 10,
    b_frames: int = 0,
) -> Path:
    """Write a video and return its path.

    Args:
        path: where; its ending chooses the container.
        seconds: length.
        fps: frames a second; with `vfr` the greatest.
        size: coded width and height in pixels.
        codec: name of an encoder.
        moves: what travels through it.
        vfr: leave out two of three frames in every second second.
        rotation: degrees, clockwise, by which players shall turn the picture: 0, 90, 180 or 270.
        audio: add a tone.
        seed: of background and noise; another seed makes other bytes.
        noise: of the camera, standard deviation in grey levels.
        light: by how many grey levels the picture gets brighter each second.
        front: put the index of an MP4 in front.
        first_pts_s: time of the first frame in the container.
        gop: frames from one key frame to the next.
        b_frames: frames in a row that refer to a later one.
    """
    options = {"movflags": "faststart"} if front and path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options={**options, "fflags": "+bitexact"}) as container:
        rate = Fraction(fps).limit_denominator(1001)
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        base = 1 / rate if path.suffix == ".avi" else Fraction(1, _TICKS)  # frames of an AVI have numbers, no times
        stream.codec_context.time_base = base
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.thread_count = 1
        stream.options = _options(codec)
        if rotation:
            stream.set_display_rotation(-rotation)
        tone = container.add_stream("aac", rate=8000, layout="mono") if audio else None
        background = _background(size, seed)
        for number in _numbers(seconds, fps, vfr=vfr):
            at = number / fps
            image = _draw(background, at, seconds, moves, number, seed, noise, light)
            frame = av.VideoFrame.from_ndarray(image, "bgr24")
            frame.pts, frame.time_base = round(Fraction(at + first_pts_s) / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone is not None:
            _hum(container, tone, seconds)
    return path


def make_sound(path: Path, seconds: float = 1.0) -> Path:
    """Write a file that holds sound alone, and return its path."""
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        _hum(container, container.add_stream("aac", rate=8000, layout="mono"), seconds)
    return path


def truncate(path: Path, share: float = 0.5) -> Path:
    """Cut a file off after this share of its bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def _options(codec: str) -> dict[str, str]:
    if codec == "libx265":
        return {"preset": "ultrafast", "x265-params": "log-level=none:pools=none:frame-threads=1"}
    return {"preset": "ultrafast", "crf": "20"} if codec == "libx264" else {}


def _numbers(seconds: float, fps: float, *, vfr: bool) -> list[int]:
    """Number the frames that there are."""
    every = range(round(seconds * fps))
    return [number for number in every if not vfr or int(number / fps) % 2 == 0 or number % 3 == 0]


def _background(size: tuple[int, int], seed: int) -> NDArray[np.float32]:
    """Return a grey scene: a gradient and blocks, float32 [H, W, 3]."""
    width, height = size
    blocks = np.random.default_rng(seed).uniform(-15, 15, (8, 8, 1)).astype(np.float32)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    slope = np.linspace(80, 140, height, dtype=np.float32)[:, None, None]
    return np.repeat(slope + blocks[rows][:, columns], 3, axis=2)


def _draw(
    background: NDArray[np.float32],
    at: float,
    seconds: float,
    moves: Sequence[Move],
    number: int,
    seed: int,
    noise: float,
    light: float,
) -> NDArray[np.uint8]:
    """Draw one frame."""
    image = background.copy()
    height, width = image.shape[:2]
    for move in moves:
        end_s = min(move.end_s, seconds)
        if not move.start_s <= at < end_s:
            continue
        share = (at - move.start_s) / (end_s - move.start_s)
        x = move.begin[0] + share * (move.end[0] - move.begin[0])
        y = move.begin[1] + share * (move.end[1] - move.begin[1])
        half = 0.5 * (1 + share * (move.grow - 1))
        left, right = (max(0, round((x + side * half * move.size[0]) * width)) for side in (-1, 1))
        top, bottom = (max(0, round((y + side * half * move.size[1]) * height)) for side in (-1, 1))
        image[top:bottom, left:right] = COLOURS[move.colour]
    image += light * at
    if noise:
        image += np.random.default_rng((seed, number)).normal(0, noise, image.shape).astype(np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


def _hum(container: av.container.OutputContainer, tone: av.AudioStream, seconds: float) -> None:
    """Add a tone of 440 Hz."""
    wave = (0.2 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * 8000)) / 8000)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
    for packet in (*tone.encode(frame), *tone.encode()):
        container.mux(packet)
