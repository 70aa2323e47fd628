"""The stream: pictures in, detections out, every core busy, order kept, memory bounded.

Measured on CPUs, the fastest arrangement is also the plainest: each of N threads takes one picture from its bytes to
its detections, all share one session, and JPEGs are decoded at the smallest size that the model can use. ONNX Runtime
and OpenCV let go of Python's lock while they work, so threads do as well as processes. One bad picture is one `Failure`
in its place; it never stops the others.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from wayside.vision.decode import Limits, decode
from wayside.vision.detections import Detections
from wayside.vision.detector import Detector
from wayside.vision.headers import Format

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False, slots=True)
class Failure(Generic[T]):
    """What stands in the place of a result: the item, and the error that its work raised."""

    item: T
    error: Exception


@dataclass(frozen=True, eq=False, slots=True)
class Detected(Generic[T]):
    """A picture that was looked at: its item, its full size in pixels, its format and what was found."""

    item: T
    width: int
    height: int
    format: Format
    detections: Detections


def usable_cores() -> int:
    """Return how many cores this process may use, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stream(items: Iterable[T], work: Callable[[T], R], *, workers: int = 0, depth: int = 0) -> Iterator[R | Failure[T]]:
    """Apply `work` to every item on several threads, and yield the results in the order of the items.

    Args:
        items: read one by one, by the thread that consumes the results, and never more than `depth` ahead of it.
        work: called on the worker threads.
        workers: threads; 0 for one per usable core.
        depth: items read and not yet yielded, at most; 0 for four per worker.

    Yields:
        What `work` returned or, where it raised an `Exception`, a `Failure` with the item.

    Raises:
        Exception: whatever reading `items` raises. Then, and when the consumer stops early, items that are not begun
            are dropped, and those under way are waited for.
    """
    threads = workers or usable_cores()
    ahead = depth or 4 * threads
    source = iter(items)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="wayside-stream")
    waiting: deque[tuple[T, Future[R]]] = deque()
    try:
        waiting.extend((item, pool.submit(work, item)) for item in islice(source, ahead))
        while waiting:
            item, future = waiting.popleft()
            # `exception` waits for the end; an interrupt in a worker is raised here, not turned into a failure.
            error = future.exception()
            waiting.extend((later, pool.submit(work, later)) for later in islice(source, 1))
            if error is None:
                yield future.result()
            elif isinstance(error, Exception):
                yield Failure(item, error)
            else:
                raise error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def detect_stream(
    items: Iterable[T],
    read: Callable[[T], bytes],
    detector: Detector,
    *,
    workers: int = 0,
    depth: int = 0,
    limits: Limits | None = None,
) -> Iterator[Detected[T] | Failure[T]]:
    """Read, decode and detect, for every item, in order.

    Args:
        items: whatever `read` understands: paths, keys of a store, rows of a table.
        read: returns the bytes of an item's picture; called on the worker threads.
        detector: shared by all workers.
        workers: threads; 0 for one per usable core.
        depth: pictures under way at most; 0 for four per worker.
        limits: caps on bytes and pixels; by default those of the settings.

    Yields:
        A `Detected`, or a `Failure` that holds what `read`, `decode` (an `ImageError`) or the detector raised.
    """

    def look(item: T) -> Detected[T]:
        picture = decode(read(item), limits=limits, at_least=detector.input_size)
        found = detector.detect(picture.image)
        return Detected(item, picture.width, picture.height, picture.format, found)

    yield from stream(items, look, workers=workers, depth=depth)
