"""The paper's ablations on real SR results, with the quality model of a stage-1 run of sriqa_lite.

Models I (no rectifier), II (no certain orders, which stand in for the labelled loss), III (B = 1)
and the full one share codes that are computed once; Model IV is a quality model trained on
everything. Figures are on held-out contents; with methods left out, on the pairs of methods of
which at least one was not trained on. Leave-3-out is done for many random triples, and told as
mean ± standard deviation over them; Model IV only for the triples that stage-1 runs are given for.

    python benchmarks/ablations.py BASE.safetensors --set data.sr=DIR --set data.photos=DIR \
        [--draws 8] [--tuned BASE.safetensors ...] -o weights_card/ablations.md
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sriqa_metric.calibrate.config import RectifierConfig, RunConfig, load_config
from sriqa_metric.calibrate.data.splits import Data, read_data
from sriqa_metric.calibrate.features.extract import ladder_codes, sr_codes
from sriqa_metric.calibrate.training.rectifier import StageTwoData, train_rectifier
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.calibrate.training.validation import HeldOut
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.rectifier import Rectifier
from sriqa_metric.weights.format import read_file
from sriqa_metric.weights.load import load_source

CONTENTS = {
    "srcc": "SRCC of method means",
    "pairs": "method pairs",
    "image_pairs": "image pairs",
    "severity": "severity",
}
METHODS = {
    "unseen_pairs": "unseen method pairs",
    "unseen_image_pairs": "unseen image pairs",
    "severity": "severity",
}
FULL = "full: B = 64"
LADDERS = 300  # photos, as in a run


def variants(config: RectifierConfig) -> dict[str, RectifierConfig]:
    """The models that have a rectifier; of III each epoch is as many steps as of the others."""
    return {
        "II: no certain orders": replace(config, labelled_weight=0.0),
        "III: B = 1": replace(config, contents=1),
        FULL: config,
    }


class World:
    """Codes of one quality model: of every training result, of ladders, and of what is held out."""

    def __init__(self, base: str, config: RunConfig) -> None:
        self.metric = load_source(base)
        self.metric.rectifier = None
        self.config, self.data = config, read_data(config)
        self.results = sr_codes(self.metric, self.data.train, self.metric.policy).unsqueeze(2)
        # On photos alone: nothing of a method that is left out is seen.
        rng = np.random.default_rng(config.seed)
        photos = [self.data.photos[i] for i in rng.permutation(len(self.data.photos))[:LADDERS]]
        self.ladders = ladder_codes(self.metric, photos, 3, on_sr=False, seed=config.seed)
        self.evaluation = HeldOut(self.metric, self.data, config.seed)

    def figures(self, left_out: set[int], config: RectifierConfig | None) -> dict[str, float]:
        """Figures of the quality model, or with a rectifier trained without some methods."""
        self.evaluation.unseen = left_out
        if config is None:
            return self.evaluation.figures(self.metric)
        kept = [i for i in range(len(self.data.full.methods)) if i not in left_out]
        data = StageTwoData(
            results=self.results[kept],
            mu=torch.as_tensor(self.data.full.mu[kept], dtype=torch.float32),
            held_out=self.evaluation.results[kept],
            ladders=self.ladders,
        )
        with torch.random.fork_rng():
            torch.manual_seed(self.config.seed)
            rectifier = Rectifier(self.metric.quality_model.feature_dim)
        with tempfile.TemporaryDirectory() as place, RunFolder(Path(place) / "run", {}) as folder:
            train_rectifier(
                rectifier, self.metric.quality_model, data, config, self.config.seed, folder
            )
        model, policy = self.metric.quality_model, self.metric.policy
        return self.evaluation.figures(CalibratedMetric("sriqa_lite", model, rectifier, policy))


def same_steps(config: RectifierConfig, contents: int) -> RectifierConfig:
    """The same number of steps for groups of one content as for groups of B."""
    steps = config.epochs * max(1, contents // min(64, contents))
    return replace(config, epochs=max(1, round(steps / max(1, contents // config.contents))))


def table(rows: dict[str, list[dict[str, float]]], columns: dict[str, str]) -> Iterator[str]:
    """Markdown: a row for each model, mean ± standard deviation where there are several."""
    yield "| | " + " | ".join(columns.values()) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for name, found in rows.items():
        cells = []
        for column in columns:
            values = np.array([figures[column] for figures in found])
            spread = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
            cells.append(f"{values.mean():.3f}{spread}")
        yield f"| {name} | " + " | ".join(cells) + " |"


def triples(data: Data, count: int) -> list[set[int]]:
    """Random sets of three methods, each once."""
    rng = np.random.default_rng(0)
    found: dict[frozenset[int], None] = {}
    while len(found) < count:
        found[frozenset(rng.choice(len(data.full.methods), 3, replace=False).tolist())] = None
    return [set(each) for each in found]


def tuned_rows(files: list[Path], world: World) -> Iterator[tuple[set[int], dict[str, float]]]:
    """For every quality model trained on everything: the methods it never saw, its figures."""
    for file in files:
        seen = read_file(file).description["training_data"]["methods"]
        methods = world.data.full.methods
        left_out = {i for i, name in enumerate(methods) if name not in seen}
        metric = load_source(str(file))
        metric.rectifier = None
        evaluation = HeldOut(metric, world.data, world.config.seed)
        evaluation.unseen = left_out
        yield left_out, evaluation.figures(metric)


def main() -> None:
    """Train every model for every triple, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--tuned", type=Path, nargs="*", default=[])
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    config = load_config("sriqa_lite", [*given.overrides, f"base={given.base}"])
    world = World(given.base, config)
    models = variants(config.rectifier)
    contents = len(world.data.train.contents)
    models = {name: same_steps(each, contents) for name, each in models.items()}
    tuned = list(tuned_rows(given.tuned, world))

    def rows(left_out: list[set[int]]) -> dict[str, list[dict[str, float]]]:
        found = {"I: no rectifier": [world.figures(each, None) for each in left_out]}
        for name, model in models.items():
            found[name] = [world.figures(each, model) for each in left_out]
        fourth = [figures for each, figures in tuned if each in left_out]
        if fourth:
            found["IV: trained on everything"] = fourth
        return found

    drawn = triples(world.data, given.draws)
    lines = [
        f"{len(world.data.held_contents)} held-out contents, {len(world.data.full.methods)} "
        f"methods, base {world.metric.weights_id}. *Severity*: ladders on "
        f"{len(world.data.held_photos)} held-out photos.",
        "",
        "### All methods trained on",
        "",
        *table(rows([set()]), CONTENTS),
        "",
        f"### Three methods never trained on, {len(drawn)} random triples",
        "",
        *table(rows(drawn), METHODS),
    ]
    triple_of = [each for each, _ in tuned if each]
    if triple_of:
        names = "; ".join(
            ", ".join(world.data.full.methods[i] for i in sorted(each)) for each in triple_of
        )
        lines += ["", f"### The triples of Model IV: {names}", ""]
        lines += table(rows(triple_of), METHODS)
    given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(given.output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
