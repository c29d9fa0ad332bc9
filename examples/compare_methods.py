"""Which of my SR methods is better, as far as the metric and so many images can tell?

    python examples/compare_methods.py
    python examples/compare_methods.py results/mine results/theirs --report report.html

Each argument is one method: a folder of its results, or a quoted pattern. Results are matched by
content, that is by file name. Without arguments the three methods of examples/images are compared,
and three images are too few to say anything.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sriqa_metric.compare import compare

IMAGES = Path(__file__).parent / "images"
METHODS = ("bicubic", "dat_light_x4", "realesrgan_x4plus")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    examples = [str(IMAGES / f"*_{method}.png") for method in METHODS]
    parser.add_argument("methods", nargs="*", default=examples, help="folders or patterns")
    parser.add_argument("--report", type=Path, help="a page with charts and images to write")
    args = parser.parse_args()

    comparisons = compare(args.methods)
    comparison = comparisons.each[0]  # one metric, on the first data set

    for method in comparison.best_first:
        line = f"{method.rank}. {method.name}: mean {method.mean:.2f} of {method.n}"
        if method.half is not None:  # one image has no interval
            line += f", 95 % interval {method.ci_low:.2f} to {method.ci_high:.2f}"
        print(line)
    for pair in comparison.pairs:
        print(f"- {pair.verdict}")
    for one in comparison.unmatched:
        print(f"left out: {one.content} is not in {', '.join(one.lacking)}")
    print(f"scores of {comparison.metric}, weights {comparison.weights}: not people's votes")

    if args.report:
        from sriqa_metric.compare.report import write_report

        write_report(comparisons, args.report)


if __name__ == "__main__":
    main()
