"""Joining single requests from many threads into batches, for a device that is faster that way.

There is no timer and no thread of its own. Whoever finds the device free takes along everything that waits; while a
batch runs, the next one gathers. Under light load a request runs at once and alone, under heavy load batches fill up.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Calls `run`, which answers item by item, with at most `largest` items and from one thread at a time."""

    def __init__(self, run: Callable[[Sequence[T]], Sequence[R]], largest: int) -> None:
        self._run = run
        self._largest = largest
        self._waiting: list[tuple[T, Future[R]]] = []
        self._list_lock = threading.Lock()
        self._device_lock = threading.Lock()

    def __call__(self, item: T) -> R:
        """Return the answer to one item; raises what `run` raised for the batch that held it."""
        mine: Future[R] = Future()
        with self._list_lock:
            self._waiting.append((item, mine))
        while not mine.done():
            with self._device_lock:
                if not mine.done():
                    self._run_one_batch()
        return mine.result()

    def _run_one_batch(self) -> None:
        with self._list_lock:
            batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
        try:
            answers = self._run([item for item, _ in batch])
            if len(answers) != len(batch):
                raise ValueError(f"{len(answers)} answers to a batch of {len(batch)}")
        except BaseException as error:  # noqa: BLE001  # every waiting thread has to hear of it, or waits for ever
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            future.set_result(answer)
