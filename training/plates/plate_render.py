"""Rendered licence plates, signs and lamps, and how they get into pictures.

Rendered plates are examples; signs with words and glowing lamps are what a plate detector mistakes for plates, and are
shown without a box. Letters are those of OpenCV, the colours and proportions those of plates around the world.
"""

from __future__ import annotations

import cv2
import numpy as np

LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
DIGITS = "0123456789"
WORDS = (
    "cafe", "bakery", "Hotel", "MARKET", "Sale", "Books", "pizza", "BANK", "Open", "Garage", "Taxi", "Police", "GTi",
    "320d", "Turbo", "Diesel", "Bus", "stop", "WAY", "School", "Kiosk", "Post", "Flowers", "Express", "24h",
    "Parking", "EXIT", "Transport", "Logistics", "Sons",
)  # fmt: skip
FONTS = (cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX)
STYLES = (
    ((235, 235, 235), (25, 25, 25)),
    ((60, 200, 240), (20, 20, 20)),
    ((235, 240, 240), (130, 40, 20)),
    ((240, 225, 200), (110, 30, 30)),
    ((40, 40, 40), (225, 225, 225)),
    ((50, 120, 40), (235, 235, 235)),
    ((120, 60, 30), (235, 235, 235)),
    ((235, 235, 235), (40, 40, 190)),
    ((40, 40, 170), (235, 235, 235)),
)
"""Ground and letters of plates, BGR."""


def write_text(
    image: np.ndarray, text: str, box: tuple[int, int, int, int], colour: tuple, font: int, bold: int
) -> None:
    """Fill ``box`` (x1, y1, x2, y2) of ``image`` with ``text``, stretched to fit."""
    x1, y1, x2, y2 = box
    (width, height), base = cv2.getTextSize(text, font, 2.0, bold)
    mask = np.zeros((height + base + 12, width + 12), np.uint8)
    cv2.putText(mask, text, (6, height + 6), font, 2.0, 255, bold, cv2.LINE_AA)
    filled = np.flatnonzero(mask.max(1))
    mask = mask[filled[0] : filled[-1] + 1]
    mask = cv2.resize(mask, (max(1, x2 - x1), max(1, y2 - y1)), interpolation=cv2.INTER_AREA)[..., None] / 255.0
    part = image[y1:y2, x1:x2]
    part[:] = (part * (1 - mask) + np.array(colour) * mask).astype(np.uint8)


def plate_text(rng: np.random.Generator) -> str:
    """Letters and digits in a random arrangement of two or three groups."""
    groups = []
    for _ in range(int(rng.integers(1, 4))):
        signs = LETTERS if rng.random() < 0.45 else DIGITS
        groups.append("".join(rng.choice(list(signs), int(rng.integers(1, 5)))))
    text = rng.choice([" ", "-", ""]).join(groups)
    return text if len(text) > 3 else text + "".join(rng.choice(list(DIGITS), 4))


def render_plate(rng: np.random.Generator) -> np.ndarray:
    """A plate seen straight on, BGR uint8, 48 pixels high and as wide as its proportions want."""
    ground, ink = STYLES[int(rng.choice(len(STYLES), p=[0.36, 0.17, 0.1, 0.1, 0.1, 0.05, 0.04, 0.05, 0.03]))]
    ratio = float(rng.choice([4.7, 4.3, 2.0, 1.4, 3.0], p=[0.4, 0.1, 0.3, 0.12, 0.08]))
    height, width = 48, int(48 * ratio)
    image = np.empty((height, width, 3), np.uint8)
    image[:] = np.clip(np.array(ground) + rng.normal(0, 12, 3), 0, 255)
    bold, font = int(rng.integers(2, 7)), int(rng.choice(FONTS))
    left = 4
    if ratio > 4 and rng.random() < 0.5:
        left = int(height * 0.45)
        image[:, : left - 3] = np.clip(np.array([150, 60, 10]) + rng.normal(0, 15, 3), 0, 255)
    if ratio < 1.7:
        write_text(image, plate_text(rng)[:4], (6, 5, width - 6, 22), ink, font, bold)
        write_text(image, plate_text(rng)[:4], (6, 26, width - 6, 43), ink, font, bold)
    elif 1.7 < ratio < 2.5 and rng.random() < 0.8:
        side = int(width * 0.25)
        write_text(image, str(rng.choice(WORDS)), (side, 3, width - side, 11), ink, font, 2)
        write_text(image, plate_text(rng), (7, 15, width - 7, 40), ink, font, bold)
    else:
        write_text(image, plate_text(rng), (left + 3, 8, width - 7, 40), ink, font, bold)
    if rng.random() < 0.5:
        frame = ink if rng.random() < 0.5 else tuple(int(value) for value in rng.integers(0, 90, 3))
        cv2.rectangle(image, (0, 0), (width - 1, height - 1), frame, int(rng.integers(1, 5)))
    return image


def render_sign(rng: np.random.Generator) -> np.ndarray:
    """A sign or a lettering that is no plate: words, any colours, BGR uint8."""
    lines = int(rng.integers(1, 4))
    height, width = 40 * lines, int(rng.integers(60, 320))
    image = np.empty((height, width, 3), np.uint8)
    image[:] = rng.integers(0, 256, 3)
    ink = tuple(int(value) for value in (image[0, 0].astype(int) + rng.integers(90, 170, 3)) % 256)
    for line in range(lines):
        text = " ".join(rng.choice(WORDS, int(rng.integers(1, 3))))
        write_text(image, text, (6, 40 * line + 6, width - 6, 40 * line + 34), ink, int(rng.choice(FONTS)), 3)
    return image


def paste(rng: np.random.Generator, image: np.ndarray, patch: np.ndarray, box: np.ndarray, tilt: float) -> np.ndarray:
    """Draw ``patch`` into ``box`` (x1, y1, x2, y2 in pixels) of ``image`` in place, in perspective and in its light.

    Returns the box around what was drawn, float32 ``[4]`` in pixels, cut off at the picture's edges.
    """
    rows, cols = image.shape[:2]
    size = np.array([box[2] - box[0], box[3] - box[1]])
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) * size + box[:2]
    lean = np.tan(np.radians(rng.normal(0, tilt)))
    corners[:, 1] += (corners[:, 0] - corners[:, 0].mean()) * lean
    corners += rng.normal(0, 0.035, (4, 2)) * size
    corners = corners.astype(np.float32)
    low = np.floor(corners.min(0)).astype(int).clip(0, [cols - 1, rows - 1])
    high = (np.ceil(corners.max(0)).astype(int) + 1).clip(low + 1, [cols, rows])
    height, width = patch.shape[:2]
    scale = size[0] / width
    if scale < 0.5:
        patch = cv2.resize(
            patch, (max(2, int(size[0] * 1.4)), max(2, int(size[1] * 1.4))), interpolation=cv2.INTER_AREA
        )
        height, width = patch.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners - low.astype(np.float32))
    shape = (int(high[0] - low[0]), int(high[1] - low[1]))
    drawn = cv2.warpPerspective(patch, matrix, shape, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpPerspective(np.full((height, width), 255, np.uint8), matrix, shape, flags=cv2.INTER_LINEAR)
    part = image[low[1] : high[1], low[0] : high[0]]
    light = float(np.clip(part.mean() / 110, 0.3, 1.15) * np.exp(rng.normal(0, 0.15)))
    if rng.random() < 0.15:
        light = float(rng.uniform(0.9, 1.5))
    alpha = mask[..., None] / 255.0
    part[:] = (part * (1 - alpha) + (drawn * light).clip(0, 255) * alpha).astype(np.uint8)
    return np.array([*low, *high], np.float32)


def add_lamps(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A few glowing lamps, round or oblong, white, yellow or red; BGR uint8 in and out."""
    rows, cols = image.shape[:2]
    glow = np.zeros((rows, cols, 3), np.float32)
    for _ in range(int(rng.integers(1, 6))):
        colour = ((255, 255, 255), (120, 220, 255), (60, 60, 255))[int(rng.integers(3))]
        radius = float(np.exp(rng.uniform(np.log(2), np.log(0.06 * cols + 3))))
        axes = (max(1, int(radius * rng.uniform(1, 2.6))), max(1, int(radius)))
        centre = (int(rng.integers(cols)), int(rng.integers(rows)))
        cv2.ellipse(glow, centre, axes, 0, 0, 360, colour, -1)
    glow = glow + 0.7 * cv2.blur(glow, (int(cols * 0.06) | 1, int(rows * 0.06) | 1))
    return (image + glow).clip(0, 255).astype(np.uint8)


def erase(image: np.ndarray, box: np.ndarray) -> None:
    """Paint over ``box`` (pixels) in place with what surrounds it: a blend of the rows above and below it."""
    rows, cols = image.shape[:2]
    x1, y1 = np.floor(box[:2]).astype(int).clip(0, [cols - 1, rows - 1])
    x2, y2 = (np.ceil(box[2:]).astype(int) + 1).clip([x1 + 1, y1 + 1], [cols, rows])
    above = image[max(0, y1 - 2), x1:x2].astype(np.float32)
    below = image[min(rows - 1, y2 + 1), x1:x2].astype(np.float32)
    share = np.linspace(0, 1, y2 - y1, dtype=np.float32)[:, None, None]
    image[y1:y2, x1:x2] = above * (1 - share) + below * share
