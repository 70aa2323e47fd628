"""What a detector sees in a video, picture by picture: the ground that counts are made of."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from wayside.core.errors import VideoError
from wayside.media.container import VideoLimits
from wayside.media.frames import DEFAULT_LIMITS, Frame, Whole, frames
from wayside.vision.detections import Detections
from wayside.vision.stream import Failure, stream, usable_cores


class Detects(Protocol):
    """A detector, as far as it matters here; `wayside.vision.detector.Detector` is one."""

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """Find objects in an upright picture, uint8 [H, W, 3] blue-green-red; called from many threads at once."""


@dataclass(frozen=True, eq=False, slots=True)
class Scan:
    """What was found in a video.

    Attributes:
        offsets_us: times of the pictures that were looked at, microseconds from the first picture of the video.
        found: what each of them shows, in the same order.
        status: `ok`; `partial`: the video breaks off or is damaged; `failed`: nothing could be read.
        reason: why, in one word; None where it is ok.
        detail: the same for people.
    """

    offsets_us: tuple[int, ...]
    found: tuple[Detections, ...]
    status: Literal["ok", "partial", "failed"]
    reason: str | None = None
    detail: str | None = None


def scan(
    file: BinaryIO | Path,
    *,
    start_at: datetime,
    detector: Detects,
    fps: float | None,
    limits: VideoLimits = DEFAULT_LIMITS,
    floor: float = 0.1,
    workers: int = 0,
) -> Scan:
    """Run a detector over the pictures of a video.

    Args:
        file: its path, or a seekable file that stays open.
        start_at: when its first picture was taken.
        detector: shared by all workers; it has to be loaded with a least score of `floor` or less.
        fps: pictures a second that are looked at, see `frames`; None for all.
        limits: what is refused.
        floor: least score of what is kept, 0..1; counting may ask for more later.
        workers: threads that detect; 0 for one per usable core. Pictures held at once are two more than these.

    Returns:
        What was found. A video that cannot be read is a result too, with the reason.

    Raises:
        StoreUnavailableError: the file cannot be read for now.
        ModelError: the detector does not answer like its family.
        ConfigError: as `frames` raises it.
    """
    offsets: list[int] = []
    found: list[Detections] = []
    source = frames(file, fps=fps, start_at=start_at, limits=limits)
    whole = Whole(source)
    threads = workers or usable_cores()

    def look(frame: Frame) -> tuple[int, Detections]:
        seen = detector.detect(frame.image)
        return frame.offset_us, seen.take(seen.scores >= floor)

    # It is a generator: closed, it waits for what is under way and ends its threads.
    results = cast(
        "Generator[tuple[int, Detections] | Failure[Frame], None, None]",
        stream(whole, look, workers=threads, depth=threads + 2),
    )
    try:
        with closing(source), closing(results):
            for result in results:
                if isinstance(result, Failure):
                    raise result.error
                offsets.append(result[0])
                found.append(result[1])
    except VideoError as error:
        return Scan((), (), "failed", error.reason, error.message)
    broken = whole.error
    return Scan(
        tuple(offsets),
        tuple(found),
        "ok" if broken is None else "partial",
        None if broken is None else broken.reason,
        None if broken is None else broken.message,
    )
