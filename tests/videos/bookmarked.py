"""Bookmarks for tests: a small set that has everything, and any that there can be."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from wayside.videos.bookmarks import BookmarkEvent, BookmarkImage, BookmarkLabel, Bookmarks

NOON = datetime(2016, 10, 9, 12, tzinfo=UTC)
SHA1 = "646c65289f24f26577912ea1deac8f6b26a847be"
SHA256 = "ab" * 32
EVENT = BookmarkEvent("0123456789abcdef-3", NOON, NOON + timedelta(seconds=9.5))
EVERYTHING = Bookmarks(
    "job-7",
    NOON,
    NOON + timedelta(hours=1),
    (
        BookmarkImage(
            NOON + timedelta(milliseconds=923),
            "C2 Hi",
            "C2_Hi",
            (
                BookmarkLabel("car", 0.5, (0.1, 0.2, 0.30000000000000004, 1.0), ((0.0, 0.0), (1.0, 0.0), (0.5, 1e-7))),
                BookmarkLabel("car", 0.25, (0.0, 0.0, 1.0, 1.0)),
                BookmarkLabel("=HYPERLINK(1)"),
                BookmarkLabel('a "quoted", label'),
                BookmarkLabel("冫 Måløy 🐟"),
                BookmarkLabel("007"),
                BookmarkLabel(""),
                BookmarkLabel("'"),
            ),
            EVENT,
            "trip 7/C2 Hi-1476014557.mp4",
            SHA256,
            (SHA1, "4" * 40),
        ),
        BookmarkImage(NOON + timedelta(microseconds=1), "C2 Hi", "C2_Hi", (), EVENT, None, SHA256),
        BookmarkImage(NOON, "elsewhere", labels=(BookmarkLabel("<b>&amp;</b>", 1.0),)),
    ),
)


def bearing(name: str) -> BookmarkImage:
    """Return one image with one label."""
    return BookmarkImage(NOON, "C2_Hi", labels=(BookmarkLabel(name),))


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
    | st.sampled_from("=+-@'\"<>&,; "),
    max_size=8,
).filter(lambda text: all(ord(char) & 0xFFFE != 0xFFFE for char in text))
names = texts.filter(bool)
fractions = st.floats(0, 1)
moments = st.datetimes(NOON.replace(1971, tzinfo=None), NOON.replace(2037, tzinfo=None), timezones=st.just(UTC))
boxes = st.tuples(fractions, fractions, fractions, fractions).map(
    lambda box: (min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3]))
)
polygons = st.lists(st.tuples(fractions, fractions), min_size=3, max_size=5).map(tuple)
labels = st.builds(BookmarkLabel, texts, st.none() | fractions, st.none() | boxes, st.none() | polygons)
events = st.builds(lambda name, start, length: BookmarkEvent(name, start, start + length), names, moments,
                   st.timedeltas(timedelta(0), timedelta(days=1)))  # fmt: skip
sha1s = st.lists(st.sampled_from([SHA1, "4" * 40]), max_size=2).map(tuple)
images = st.builds(
    BookmarkImage,
    moments,
    names,
    st.none() | names,
    st.lists(labels, max_size=3).map(tuple),
    st.none() | events,
    st.none() | names,
    st.none() | st.just(SHA256),
    sha1s,
)
bookmarks = st.builds(
    Bookmarks,
    st.none() | names,
    st.none() | moments,
    st.none() | moments,
    st.lists(images, max_size=4, unique_by=lambda image: image.key).map(tuple),
)
