"""How much faster are the two picture filters than the same thing written straight down?

The plain version below is what a careful programmer writes first: pixel and row loops for the faulty test, in the
manner of the replaced system, and scikit-image for the similarity. Both see the same synthetic 352×288 triples, turn
by turn, on one thread; the verdicts have to agree, or the run fails. The bar: both filters together at least ten
times as fast, in one run. `series` is the same work on consecutive slots of one camera, where each picture is
wrapped once and each comparison serves two slots.

    PYTHONPATH=include python -m bench.bench_filters --triples 40 --json filters.json
"""

import argparse
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from wayside.quality.faulty import FaultyImageFilterV0, FaultyImageFilterV1
from wayside.quality.picture import Picture
from wayside.quality.static import StaticObjectFilterV0, StaticObjectFilterV1

HEIGHT, WIDTH, OBJECTS, BAR = 288, 352, 10, 10.0


def make_slots(count, seed=0):
    """Make a street over `count` slots with boxes: half parked for good, half driven through."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 220, (18, 22, 3), np.uint8)
    street = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    patches = rng.integers(0, 256, (OBJECTS, 6, 8, 3), np.uint8)
    tops, lefts = rng.integers(0, HEIGHT - 40, OBJECTS), rng.integers(0, WIDTH - 50, OBJECTS)
    pictures, boxes = [], []
    for _ in range(count):
        picture, here = street.copy(), []
        for number in range(OBJECTS):
            driven = number % 2
            top = int(rng.integers(0, HEIGHT - 40)) if driven else int(tops[number])
            left = int(rng.integers(0, WIDTH - 50)) if driven else int(lefts[number])
            picture[top : top + 30, left : left + 40] = cv2.resize(patches[number], (40, 30))
            here.append([top, left, top + 30, left + 40])
        noisy = np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
        pictures.append(cv2.imdecode(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], 1))
        boxes.append(np.array(here))
    return pictures, boxes


def plain_colour(image):
    """Count colours pixel by pixel, every fourth; that green and blue are red as well is the old slip."""
    counts = np.zeros((32, 32, 32))
    for row in range(0, image.shape[0], 4):
        for column in range(0, image.shape[1], 4):
            _, _, red = image[row, column]
            counts[int(red / 8), int(red / 8), int(red / 8)] += 16
    return counts.max() / (image.shape[0] * image.shape[1])


def plain_run(image):
    """Compare row by row."""
    longest = running = 0
    for row in range(image.shape[0] - 1):
        running = running + 1 if np.sum(image[row] == image[row + 1]) > image.shape[1] * 3 * 0.8 else 0
        longest = max(longest, running)
    return longest


def plain_faulty(previous, current, following):
    """Judge three pictures of one size: previous comparable, current faulty, next comparable."""

    def bad(image):
        return plain_colour(image) > 0.33 or plain_run(image) > image.shape[0] * 0.2

    twin = np.array_equal(previous, current)
    before = not twin and not bad(previous)
    after = not np.array_equal(following, current) and not bad(following)
    return before, twin or bad(current), after


def plain_mask(similarity):
    """Turn a similarity map into the mask of what moved."""
    inverted = 255 - (similarity * 255).astype(np.int64).astype(np.uint8)
    mask = cv2.threshold(inverted, 110, 255, cv2.THRESH_BINARY)[1]
    kernel = np.ones((3, 3), np.uint8)
    mask = cv2.erode(cv2.dilate(mask, kernel), kernel)
    contours, hierarchy = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    for number, contour in enumerate(contours):
        if hierarchy[0][number][3] < 0 and cv2.contourArea(contour) < 50:
            cv2.drawContours(mask, contours, number, 0, cv2.FILLED)
    return cv2.erode(cv2.dilate(mask, kernel), kernel)


def plain_static(previous, current, following, boxes):
    """Return which boxes stand still, both neighbours being of the same scene."""
    grey, masks = cv2.cvtColor(current, cv2.COLOR_RGB2GRAY), []
    for neighbour in (previous, following):
        other = cv2.cvtColor(neighbour, cv2.COLOR_RGB2GRAY)
        score, similarity = structural_similarity(other, grey, full=True)
        if score <= 0.4:
            raise SystemExit("the synthetic street is too wild: mean SSIM below the scene cut")
        masks.append(plain_mask(similarity))
    mask = cv2.bitwise_and(*masks)
    still = []
    for top, left, bottom, right in boxes:
        moving = np.sum(mask[top:bottom, left:right] > 0)
        still.append(bool(moving / ((bottom - top + 1) * (right - left + 1)) < 0.25))
    return still


def timed(work, *arguments):
    """Run and return the result and the CPU seconds that it took: what else the machine does is no part of it."""
    start = time.process_time()
    result = work(*arguments)
    return result, time.process_time() - start


def ours_faulty(judge, triple):
    """Judge as the plain version does."""
    verdict = judge.check(*triple)
    return verdict.previous_comparable, verdict.faulty, verdict.next_comparable


def ours_static(judge, triple, boxes):
    """Judge as the plain version does."""
    return judge.apply_pixels(*triple, boxes, np.full(len(boxes), 0.9), ["car"] * len(boxes)).static.tolist()


def one_round(pictures, boxes):
    """Judge every triple with everything once, turn by turn; return the seconds of each."""
    names = ("plain faulty", "faulty V0", "faulty V1", "plain static", "static V0", "static V1")
    seconds = dict.fromkeys(names, 0.0)
    faulty, static = (FaultyImageFilterV0(), FaultyImageFilterV1()), (StaticObjectFilterV0(), StaticObjectFilterV1())
    for number in range(1, len(pictures) - 1):
        triple, here = pictures[number - 1 : number + 2], boxes[number]
        answers = [timed(plain_faulty, *triple), *(timed(ours_faulty, judge, triple) for judge in faulty)]
        answers += [timed(plain_static, *triple, here), *(timed(ours_static, judge, triple, here) for judge in static)]
        if answers[0][0] != answers[1][0] or answers[3][0] != answers[4][0]:
            raise SystemExit(f"triple {number}: version 0 and the plain version disagree")
        for name, (_, took) in zip(names, answers, strict=True):
            seconds[name] += took
    return seconds


def series(pictures, boxes, faulty, static):
    """Judge consecutive slots, wrapping each picture once and comparing each pair once; return the seconds."""
    start = time.process_time()
    previous, current = Picture(pictures[0]), Picture(pictures[1])
    before = static.compare(previous, current)
    for number in range(1, len(pictures) - 1):
        following = Picture(pictures[number + 1])
        faulty.check(previous, current, following)
        after = static.compare(current, following)
        ours_static(static, (before, current, after), boxes[number])
        previous, current, before = current, following, after
    return time.process_time() - start


def measure(triples, rounds):
    """Return milliseconds per triple, the best of `rounds`."""
    pictures, boxes = make_slots(triples + 2)
    one_round(pictures[:4], boxes[:4])
    runs = [one_round(pictures, boxes) for _ in range(rounds)]
    best = {name: min(run[name] for run in runs) for name in runs[0]}
    for version, faulty, static in (
        ("V0", FaultyImageFilterV0(), StaticObjectFilterV0()),
        ("V1", FaultyImageFilterV1(), StaticObjectFilterV1()),
    ):
        best[f"series {version}"] = min(series(pictures, boxes, faulty, static) for _ in range(rounds))
    return {name: 1000 * seconds / triples for name, seconds in best.items()}


def table(times):
    """Return rows of name, plain milliseconds, our milliseconds, ratio."""
    rows = []
    for version in ("V0", "V1"):
        plain, ours = times["plain faulty"], times[f"faulty {version}"]
        rows.append((f"faulty {version}", plain, ours))
        rows.append((f"static {version}", times["plain static"], times[f"static {version}"]))
        plain_both, ours_both = plain + times["plain static"], ours + times[f"static {version}"]
        rows.append((f"both {version}", plain_both, ours_both))
        rows.append((f"both {version}, series", plain_both, times[f"series {version}"]))
    return [(name, plain, ours, plain / ours) for name, plain, ours in rows]


def main():
    """Measure, print, and fail below the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triples", type=int, default=20, help="slots that are judged")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions, of which the best counts")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rows = table(measure(options.triples, options.rounds))
    print(f"{'milliseconds per triple, 352×288':34}{'plain':>9}{'ours':>9}{'times':>8}")
    for name, plain, ours, ratio in rows:
        print(f"{name:34}{plain:9.2f}{ours:9.3f}{ratio:8.1f}")
    passed = all(ratio >= BAR for name, _, _, ratio in rows if name.startswith("both"))
    if options.json:
        figures = [dict(zip(("name", "plain_ms", "ours_ms", "ratio"), row, strict=True)) for row in rows]
        options.json.write_text(json.dumps({"bar": BAR, "passed": passed, "rows": figures}, indent=2) + "\n")
    if not passed:
        sys.exit(f"below the bar of {BAR:g} times")


if __name__ == "__main__":
    main()
