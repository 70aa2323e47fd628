"""Synthetic street pictures for the filter tests: a textured street, things that stand and things that drive."""

import cv2
import numpy as np

HEIGHT, WIDTH = 288, 352


def street(seed=0, height=HEIGHT, width=WIDTH):
    """A fixed scene: smooth blotches and sharp edges, as houses and kerbs have them."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 220, (max(height // 16, 2), max(width // 16, 2), 3), np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(40):
        top, left = int(rng.integers(0, height)), int(rng.integers(0, width))
        colour = tuple(int(value) for value in rng.integers(20, 235, 3))
        cv2.rectangle(picture, (left, top), (left + 24, top + 18), colour, -1)
    return picture


def noisy(picture, seed, sigma=2.0):
    """The picture again with fresh sensor noise."""
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def with_car(picture, left, top, seed=99, width=48, height=30):
    """The picture with a patterned box driven to (left, top); boxes are [top, left, bottom, right]."""
    result = picture.copy()
    car = np.random.default_rng(seed).integers(0, 256, (height // 6, width // 6, 3), np.uint8)
    result[top : top + height, left : left + width] = cv2.resize(car, (width, height), interpolation=cv2.INTER_NEAREST)
    return result


def reencoded(picture, quality):
    """The picture after a trip through JPEG."""
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def in_use_card(text="Camera 00001.06592 in", grey=133):
    """A card like the one that London serves while operators use a camera."""
    card = np.full((HEIGHT, WIDTH, 3), grey, np.uint8)
    cv2.putText(card, text, (18, 117), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    cv2.putText(card, "use keeping London", (38, 152), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2)
    return card
