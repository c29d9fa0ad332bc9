"""`sriqa_clip` beside pyiqa's `liqe` with the same random CLIP weights, in one run.

Both score an image by 15 crops through ViT-B/32 and five prompts; they differ in how they come by
the crops. Seconds are medians (lowest-highest) of rounds in turn, after a first call. Extra memory
is the peak of one call over what the process holds before it, after a first call on a small image,
each in a process of its own; on CUDA it is torch's own count of the device's memory.

    python benchmarks/clip.py [cuda]

Needs Linux and the extras `clip` and `pyiqa`. The package openai-clip, of which liqe would use the
tokeniser, does not import beside setuptools >= 82; an empty module takes its place.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path

import torch

from sriqa_metric.crops import CropPolicy
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.clip import ClipQualityModel

SIZES = [(512, 512), (1356, 2040), (2160, 3840)]  # height, width
SMALL = (224, 224)
ROUNDS = 5
NAMES = ("sriqa_clip", "liqe")


def make(name: str, device: str) -> torch.nn.Module:
    """The metric of that name around one and the same random CLIP and texts."""
    sys.modules.setdefault("clip", types.ModuleType("clip"))
    tokenizer = types.ModuleType("clip.simple_tokenizer")
    tokenizer.SimpleTokenizer = None
    sys.modules.setdefault("clip.simple_tokenizer", tokenizer)
    from pyiqa.archs import clip_model, liqe_arch

    torch.manual_seed(0)
    clip = clip_model.CLIP(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12).float().eval()
    texts = torch.nn.functional.normalize(torch.randn(5, 512), dim=1)
    if name == "liqe":
        liqe_arch.load = lambda *_: clip
        with tempfile.TemporaryDirectory() as cache:
            liqe_arch.DEFAULT_CACHE_DIR = cache
            torch.save(texts, Path(cache) / "liqe_text_feat.pt")
            return liqe_arch.LIQE(pretrained=False).eval().to(device)
    model = ClipQualityModel()
    model.visual.load_state_dict(clip.visual.state_dict())
    model.text.copy_(texts)
    model.logit_scale.copy_(clip.logit_scale.detach())
    return CalibratedMetric(name, model, None, CropPolicy()).to(device)


def picture(size: tuple[int, int], device: str) -> torch.Tensor:
    """A random image (1, 3, H, W)."""
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)).to(device)


@torch.inference_mode()
def seconds(metric: torch.nn.Module, image: torch.Tensor) -> float:
    """Seconds that one call takes, with what it left running on the device."""
    start = time.perf_counter()
    metric(image).item()
    return time.perf_counter() - start


def kilobytes(field: str) -> int:
    """A line of the kernel's account of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def extra_memory(name: str, size: tuple[int, int], device: str) -> float:
    """MiB that one call holds at its peak beyond what is there before it."""
    metric, image = make(name, device), picture(size, device)
    seconds(metric, picture(SMALL, device))
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        seconds(metric, image)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = kilobytes("VmRSS")
    seconds(metric, image)
    return (kilobytes("VmHWM") - before) / 2**10


def main(device: str) -> None:
    """Time both in turn, then measure each one's memory."""
    where = (
        torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    )
    print(f"{where}, torch {torch.__version__}")
    metrics = {name: make(name, device) for name in NAMES}
    with torch.inference_mode():
        one, other = (metric(picture(SMALL, device)).item() for metric in metrics.values())
    print(f"one crop, both: {one:.6f}, difference {abs(one - other):.1e}")
    for size in SIZES:
        image = picture(size, device)
        for metric in metrics.values():
            seconds(metric, image)
        rounds = [[seconds(metric, image) for metric in metrics.values()] for _ in range(ROUNDS)]
        print(f"{size[1]}x{size[0]}")
        for name, times in zip(NAMES, zip(*rounds, strict=True), strict=True):
            command = [sys.executable, __file__, device, name, *map(str, size)]
            memory = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            spread = f"{statistics.median(times):.3f} ({min(times):.3f}-{max(times):.3f}) s"
            print(f"  {name:10} {spread}, +{float(memory.split()[-1]):.0f} MiB")
        ratios = [theirs / ours for ours, theirs in rounds]
        print(
            f"  liqe / ours {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        )


if __name__ == "__main__":
    if len(sys.argv) > 2:
        chosen, named, height, width = sys.argv[1:]
        print(extra_memory(named, (int(height), int(width)), chosen))
    else:
        main(sys.argv[1] if len(sys.argv) > 1 else "cpu")
