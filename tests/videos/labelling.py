"""A labeller for tests that knows nothing: what it says of a picture follows from its bytes alone."""

import hashlib

from wayside.videos.labellers.base import EventPictures, LabelFailure, Labelled, LabelOf

NAMES = ("boat", "buoy", "gull", "tuna")


def label(event: EventPictures, *, refuse: bool = True) -> Labelled | LabelFailure:
    """Give each picture of an event one or two labels; refuse one event in eleven or so."""
    if refuse and int(hashlib.sha256(event.event.encode()).hexdigest(), 16) % 11 == 0:
        return LabelFailure(event.event, "refused", "400: not such an event")
    labels = []
    for picture in event.pictures:
        digest = hashlib.sha256(picture.jpeg).digest()
        for number in range(1 + digest[0] % 2):
            name = NAMES[digest[number + 1] % len(NAMES)]
            labels.append(LabelOf(picture.at, name, digest[number + 3] / 255, (0.1, 0.2, 0.3, 0.4 + number / 10)))
    return Labelled(event.event, "test:bytes", None, tuple(labels))
