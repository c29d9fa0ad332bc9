"""`SriqaScore` beside PSNR, as in a validation loop of torchmetrics or Lightning.

python examples/with_torchmetrics.py
"""

from pathlib import Path

import torch
import torchmetrics

from sriqa_metric.images import as_float, read_image
from sriqa_metric.torchmetrics import SriqaScore

IMAGES = Path(__file__).parent / "images"

psnr = torchmetrics.image.PeakSignalNoiseRatio(data_range=1.0)
metrics = torchmetrics.MetricCollection({"sriqa": SriqaScore(), "psnr_to_bicubic": psnr})
for method in ("bicubic", "dat_light_x4", "realesrgan_x4plus"):
    for path in sorted(IMAGES.glob(f"*_{method}.png")):  # batches of a data loader, with yours
        content = path.name.partition("_")[0]
        pair = [as_float(read_image(p)) for p in (path, IMAGES / f"{content}_bicubic.png")]
        metrics.update(*torch.stack(pair)[:, None])  # (1, 3, H, W) each, in [0, 1]
    print(method, {name: round(value.item(), 2) for name, value in metrics.compute().items()})
    metrics.reset()
