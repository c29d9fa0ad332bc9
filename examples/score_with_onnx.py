"""Scores without torch and without this package: onnxruntime, numpy and Pillow.

sriqa-weights onnx sriqa_lite -o sriqa_lite.onnx
python examples/score_with_onnx.py sriqa_lite.onnx
python examples/score_with_onnx.py sriqa_lite.onnx my.png other.png
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
about = session.get_modelmeta().custom_metadata_map
print(f"{about['metric']}, weights {about['weights']}, license {about['license']}")
files = sys.argv[2:] or sorted((Path(__file__).parent / "images").glob("*_bicubic.png"))
for file in files:
    pixels = np.asarray(Image.open(file).convert("RGB"), np.float32) / 255
    (scores,) = session.run(None, {"images": pixels.transpose(2, 0, 1)[None]})
    print(f"{file} {scores[0, 0]:.2f}")
