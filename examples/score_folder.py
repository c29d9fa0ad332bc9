"""Score a folder of results: the mean of every method, and all scores as CSV.

    python examples/score_folder.py
    python examples/score_folder.py results/ --output scores.csv

Results are FOLDER/<method>/<content>.png, or FOLDER/<content>_<method>.png where a content's
name has no underscore. Whether a difference between means is more than chance is told by
compare_methods.py. A file that is broken is an error here; `sriqa-score` names it and goes on.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import sriqa_metric as sriqa

IMAGES = Path(__file__).parent / "images"


def method_and_content(path: Path, folder: Path) -> tuple[str, str]:
    """What a result is of, by where it lies or by its name."""
    if path.parent != folder:
        return path.parent.name, path.stem
    content, _, method = path.stem.partition("_")
    return method or folder.name, content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=IMAGES)
    parser.add_argument("--output", type=Path, default=Path("scores.csv"))
    parser.add_argument("--skip", default="*_LR.*", help="files that are no results")
    args = parser.parse_args()

    endings = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
    files = (path for path in sorted(args.folder.rglob("*")) if path.suffix.lower() in endings)
    paths = [path for path in files if not path.match(args.skip)]
    metric = sriqa.load("sriqa_lite")
    scores = metric.score(paths)  # decodes and scores as it goes: a folder of any size will do

    by_method: dict[str, list[float]] = {}
    with args.output.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["method", "content", "score", "metric", "weights"])
        for path, score in zip(paths, scores, strict=True):
            method, content = method_and_content(path, args.folder)
            rows.writerow([method, content, f"{score:.6f}", metric.name, metric.weights_id])
            by_method.setdefault(method, []).append(score)

    means = {method: sum(found) / len(found) for method, found in by_method.items()}
    for method in sorted(means, key=means.get, reverse=True):
        print(f"{method:20} {means[method]:8.2f}  ({len(by_method[method])} images)")
    print(f"{args.output}: {len(paths)} scores of {metric.name}, weights {metric.weights_id}")


if __name__ == "__main__":
    main()
