"""Ladders of certain order: one image at rising strength of one distortion."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

Pixels = np.ndarray  # (H, W, 3), uint8
Distortion = Callable[[Pixels, float, int], Pixels]
"""Image, strength in (0, 1] and seed -> distorted image of the same size."""


def _filtered(image: Pixels, kernel: ImageFilter.Filter) -> Pixels:
    return np.asarray(Image.fromarray(image).filter(kernel))


def _clipped(values: np.ndarray) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def gaussian_blur(image: Pixels, strength: float, seed: int) -> Pixels:
    """Gaussian blur, σ 0.6 to 4 pixels."""
    return _filtered(image, ImageFilter.GaussianBlur(0.6 + 3.4 * strength))


def box_blur(image: Pixels, strength: float, seed: int) -> Pixels:
    """Box blur of radius 0.6 to 4.5 pixels, as of a coarse defocus."""
    return _filtered(image, ImageFilter.BoxBlur(0.6 + 3.9 * strength))


def motion_blur(image: Pixels, strength: float, seed: int) -> Pixels:
    """Straight motion of 3 to 15 pixels, horizontal or vertical by the seed."""
    radius = 1 + 6 * strength
    size = (radius, 0.0) if seed % 2 else (0.0, radius)
    return _filtered(image, ImageFilter.BoxBlur(size))


def median_smoothing(image: Pixels, strength: float, seed: int) -> Pixels:
    """Over-smoothing: median filter of side 3 or 5, applied once to three times."""
    side, times = ((3, 1), (3, 3), (5, 2), (5, 3))[min(3, int(strength * 4))]
    for _ in range(times):
        image = _filtered(image, ImageFilter.MedianFilter(side))
    return image


def white_noise(image: Pixels, strength: float, seed: int) -> Pixels:
    """Gaussian noise, σ 4 to 50 of 255, independent in every channel."""
    noise = np.random.default_rng(seed).standard_normal(image.shape, dtype=np.float32)
    return _clipped(image + (4 + 46 * strength) * noise)


def gray_noise(image: Pixels, strength: float, seed: int) -> Pixels:
    """Gaussian noise, σ 4 to 45 of 255, the same in every channel."""
    noise = np.random.default_rng(seed).standard_normal((*image.shape[:2], 1), dtype=np.float32)
    return _clipped(image + (4 + 41 * strength) * noise)


def coarse_noise(image: Pixels, strength: float, seed: int) -> Pixels:
    """Noise of coarse grain (2 to 4 pixels), σ 4 to 35 of 255."""
    height, width = image.shape[:2]
    grain = 2 + seed % 3
    noise = np.random.default_rng(seed).standard_normal(
        (height // grain + 1, width // grain + 1), dtype=np.float32
    )
    full = np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BILINEAR))
    return _clipped(image + (4 + 31 * strength) * full[..., None] * 1.5)


def shot_noise(image: Pixels, strength: float, seed: int) -> Pixels:
    """Poisson noise of 400 down to 12 photons at full scale."""
    photons = 400 * (12 / 400) ** strength
    counts = np.random.default_rng(seed).poisson(image.astype(np.float32) / 255 * photons)
    return _clipped(counts / photons * 255)


def impulse_noise(image: Pixels, strength: float, seed: int) -> Pixels:
    """Salt and pepper on 0.5 % to 15 % of the pixels."""
    draw = np.random.default_rng(seed).random(image.shape[:2])
    share = (0.005 + 0.145 * strength) / 2
    out = image.copy()
    out[draw < share] = 0
    out[draw > 1 - share] = 255
    return out


def recompressed(image: Pixels, codec: str, quality: int) -> Pixels:
    """The image after one round of lossy JPEG or WebP."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, codec, quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def jpeg(image: Pixels, strength: float, seed: int) -> Pixels:
    """JPEG of quality 70 down to 6."""
    return recompressed(image, "JPEG", round(70 - 64 * strength))


def webp(image: Pixels, strength: float, seed: int) -> Pixels:
    """WebP of quality 60 down to 1."""
    return recompressed(image, "WEBP", round(60 - 59 * strength))


_KERNELS = (
    Image.Resampling.NEAREST,
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)


def down_up(image: Pixels, strength: float, seed: int) -> Pixels:
    """Reduced 1.5 to 6 times and enlarged again; the kernels by the seed."""
    height, width = image.shape[:2]
    factor = 1.5 + 4.5 * strength
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    down, up = _KERNELS[1 + seed % 3], _KERNELS[seed // 3 % 4]
    return np.asarray(Image.fromarray(image).resize(small, down).resize((width, height), up))


def oversharpened(image: Pixels, strength: float, seed: int) -> Pixels:
    """Unsharp mask far beyond need, with the halos it makes."""
    mask = ImageFilter.UnsharpMask(radius=1 + seed % 3, percent=round(120 + 600 * strength))
    return _filtered(image, mask)


def ringing(image: Pixels, strength: float, seed: int) -> Pixels:
    """Ripples beside edges: the spectrum is cut off sharply at 60 % down to 12 % of Nyquist."""
    height, width = image.shape[:2]
    cut = 0.5 * (0.6 - 0.48 * strength)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    spectrum = np.fft.rfft2(image.astype(np.float32), axes=(0, 1)) * (radius < cut)[..., None]
    return _clipped(np.fft.irfft2(spectrum, s=(height, width), axes=(0, 1)))


def quantisation(image: Pixels, strength: float, seed: int) -> Pixels:
    """24 down to 3 levels a channel."""
    levels = 24 * (3 / 24) ** strength
    return _clipped(np.rint(image / 255 * (levels - 1)) / (levels - 1) * 255)


def block_shuffle(image: Pixels, strength: float, seed: int) -> Pixels:
    """Local geometry broken: 3 % to 30 % of the 8x8 blocks moved by a few pixels."""
    height, width = image.shape[:2]
    rng = np.random.default_rng(seed)
    rows, columns = height // 8, width // 8
    order = rng.permutation(rows * columns)[: round(rows * columns * (0.03 + 0.27 * strength))]
    shifts = rng.integers(-6, 7, (rows * columns, 2))
    out = image.copy()
    for block in order:
        top, left = 8 * (block // columns), 8 * (block % columns)
        y = int(np.clip(top + shifts[block, 0], 0, height - 8))
        x = int(np.clip(left + shifts[block, 1], 0, width - 8))
        out[top : top + 8, left : left + 8] = image[y : y + 8, x : x + 8]
    return out


DISTORTIONS: dict[str, Distortion] = {
    function.__name__: function
    for function in (
        gaussian_blur,
        box_blur,
        motion_blur,
        median_smoothing,
        white_noise,
        gray_noise,
        coarse_noise,
        shot_noise,
        impulse_noise,
        jpeg,
        webp,
        down_up,
        oversharpened,
        ringing,
        quantisation,
        block_shuffle,
    )
}

# What surely harms a super-resolved image too: some are soft or noisy, and gain by the others.
ON_SR = (
    "gaussian_blur",
    "box_blur",
    "motion_blur",
    "white_noise",
    "gray_noise",
    "coarse_noise",
    "shot_noise",
    "impulse_noise",
    "jpeg",
    "webp",
    "quantisation",
    "block_shuffle",
)


def ladder(image: Pixels, name: str, levels: int, rng: np.random.Generator) -> np.ndarray:
    """An image and `levels` ever stronger distortions of it.

    Parameters
    ----------
    image : ndarray, (H, W, 3), uint8
    name : str
        One of `DISTORTIONS`.
    levels : int
        Steps; the strengths are drawn one from each of `levels` equal parts of (0, 1].
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, (levels + 1, H, W, 3), uint8
        Best first. Noise keeps its pattern along the ladder, so the order is certain.
    """
    seed = int(rng.integers(2**31))
    strengths = (np.arange(levels) + rng.random(levels)) / levels
    distort = DISTORTIONS[name]
    return np.stack([image, *(distort(image, max(float(s), 0.01), seed) for s in strengths)])


# Kinds of which people see every step as a loss. A little noise, compression or sharpening they do
# not: learnt as such, grain and crisp detail of modern methods would count as damage.
FINE = ("gaussian_blur", "box_blur", "motion_blur", "down_up")
FINE_STEPS = 3
RUINS = 3
TRACES = 1
VERSIONS = 1 + FINE_STEPS + RUINS + TRACES
_CODECS = ("JPEG", "WEBP")


def certain_order(image: Pixels, on_sr: bool, rng: np.random.Generator) -> np.ndarray:
    """An image, ever more blurred versions, ruins by other kinds, and traces of compression.

    Parameters
    ----------
    image : ndarray, (H, W, 3), uint8
    on_sr : bool
        Whether it is a super-resolved image, which only some kinds surely harm.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, (VERSIONS, H, W, 3), uint8
        The image is better than all, each blurred one than those of more blur after it; of the
        ruins only that is certain. Compression that people hardly see comes last.
    """
    kinds = ON_SR if on_sr else tuple(DISTORTIONS)
    fine = [kind for kind in kinds if kind in FINE]
    coarse = [kind for kind in kinds if kind not in FINE]
    versions = ladder(image, fine[rng.integers(len(fine))], FINE_STEPS, rng)
    ruins = [
        DISTORTIONS[coarse[index]](image, float(rng.uniform(0.8, 1)), int(rng.integers(2**31)))
        for index in rng.choice(len(coarse), RUINS, replace=False)
    ]
    traces = [
        recompressed(image, _CODECS[rng.integers(2)], int(rng.integers(70, 97)))
        for _ in range(TRACES)
    ]
    return np.stack([*versions, *ruins, *traces])
