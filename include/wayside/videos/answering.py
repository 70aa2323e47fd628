"""From the events of a shard to a labeller and back: at once, by handing videos over, or in two steps with a wait.

Each function goes on where an earlier try of the same run was stopped: what has its answer is not asked again.
"""

from collections.abc import Iterator, Sequence

from wayside.videos.importer import Importer
from wayside.videos.labellers.base import LabelFailure, Labelled, Labeller
from wayside.videos.labellers.http import HttpLabeller, Sent
from wayside.videos.plan import VideoShard

Said = Labelled | LabelFailure


def begin(importer: Importer, labeller: Labeller) -> None:
    """Get a labeller ready for a run; one that takes videos is told of all that are left."""
    if not labeller.takes_videos:
        labeller.begin(importer.job, ())
        return
    videos = [video for shard in importer.shards() for video in importer.to_post(shard)]
    labeller.begin(importer.job, sorted({video.camera for video in videos}), videos)


def label_shard(importer: Importer, labeller: Labeller, shard: VideoShard) -> Iterator[Said]:
    """Label a shard now, and yield what was said of each event, or of each video that was handed over.

    Raises:
        StoreError: something of ours cannot be read or written.
    """
    by_video = labeller.takes_videos
    answers = labeller.post_all(importer.to_post(shard)) if by_video else labeller.label_all(importer.to_label(shard))
    for said in answers:
        importer.labelled(said.event, said)
        yield said


def send_shard(importer: Importer, labeller: HttpLabeller, shard: VideoShard) -> list[Sent]:
    """Send the events of a shard to a service that answers later."""
    return [labeller.send(event) for event in importer.to_label(shard)]


def collect_shard(importer: Importer, labeller: HttpLabeller, shard: VideoShard) -> tuple[list[Said], int]:
    """Take the answers that came to the events of a shard; return them, and how many events are still open."""
    said, still_open = [], 0
    for event in importer.to_label(shard):
        answer = labeller.collect(event.event)
        if answer is None:
            still_open += 1
            continue
        importer.labelled(answer.event, answer)
        said.append(answer)
    return said, still_open


def failures(said: Sequence[Said]) -> list[LabelFailure]:
    """Return those that are no labels."""
    return [one for one in said if isinstance(one, LabelFailure)]
