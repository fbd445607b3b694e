"""Rendered words as images of text, of several fonts, sizes, colours, slants, blurs and noises."""

from __future__ import annotations

import pydoc_data.topics
import re
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONTS = Path("/usr/share/fonts/truetype/dejavu")
"""Debian's `fonts-dejavu-core`; pillow's own font is used where it is not installed."""

Floats = NDArray[np.float32]


@cache
def words() -> tuple[str, ...]:
    """The words of four to eleven letters in Python's own help texts."""
    text = " ".join(pydoc_data.topics.topics.values())
    return tuple(sorted(set(re.findall(r"\b[A-Za-z]{4,11}\b", text))))


def word(rng: np.random.Generator) -> str:
    """A word, capitalized or followed by a number now and then."""
    found = str(rng.choice(words()))
    found = found.capitalize() if rng.random() < 0.3 else found
    return f"{found}{rng.integers(1000)}" if rng.random() < 0.15 else found


def picture(text: str, rng: np.random.Generator) -> Image.Image:
    """The text on a plain background: dark on light or the reverse, slightly rotated, half of the pictures blurred."""
    paper, ink = rng.integers(170, 256, 3), rng.integers(0, 80, 3)
    paper, ink = (ink, paper) if rng.random() < 0.25 else (paper, ink)
    background = (int(paper[0]), int(paper[1]), int(paper[2]))
    font, margin = _font(rng), int(rng.integers(3, 10))
    left, top, right, bottom = font.getbbox(text)
    size = int(right - left) + 2 * margin, int(bottom - top) + 2 * margin
    image = Image.new("RGB", size, background)
    ImageDraw.Draw(image).text((margin - left, margin - top), text, font=font, fill=tuple(int(c) for c in ink))
    angle = float(rng.normal(0, 1.2))
    image = image.rotate(angle, Image.Resampling.BILINEAR, expand=True, fillcolor=background)
    return image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 1.6)))) if rng.random() < 0.5 else image


def line(image: Image.Image, width: int, rng: np.random.Generator) -> Floats:
    """The picture as PP-OCR reads it, with noise: (1, 3, 48, width), BGR, from -1 to 1, padded with zeros."""
    own = min(width, max(8, round(48 * image.width / image.height)))
    pixels = np.asarray(image.resize((own, 48), Image.Resampling.BILINEAR), np.float64)
    pixels = np.clip(pixels + rng.normal(0, rng.uniform(0, 14), pixels.shape), 0, 255)
    found = np.zeros((1, 3, 48, width), np.float32)
    found[0, :, :, :own] = (pixels[..., ::-1] / 127.5 - 1).transpose(2, 0, 1)
    return found


def _font(rng: np.random.Generator) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    files = sorted(p for p in FONTS.glob("*.ttf") if not re.search("Condensed|Extra|Oblique|Italic|Math", p.name))
    size = int(rng.integers(26, 40))
    return ImageFont.truetype(str(rng.choice([str(p) for p in files])), size) if files else ImageFont.load_default(size)
