"""The paper's ablations on real SR results, with a quality model that learnt from people.

Models I (no rectifier), II (no labelled images), III (B = 1) and the full one share codes that are
computed once; Model IV is a network that learnt everything at once. Figures are on held-out
contents; with methods left out, on the pairs of methods of which at least one was not trained on.
Leave-3-out is done for some random triples, and told as mean ± standard deviation over them; Model
IV for those that stage-1 runs are given for, with its share of the method pairs of each, and which
of these pairs it has the wrong way round. Methods whose place in the ranking no votes gave are
named by `--guessed`: pairs are told with theirs and without.

    python benchmarks/ablations.py BASE.safetensors --set data.sr=DIR ... [--draws 4] \
        [--guessed METHOD ...] [--tuned BASE.safetensors ...] -o weights_card/ablations.md
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations
from pathlib import Path

import numpy as np
import torch

from sriqa_metric.calibrate.config import RectifierConfig, RunConfig, load_config
from sriqa_metric.calibrate.data.mos_sets import LabelledImages
from sriqa_metric.calibrate.data.splits import Data, read_data
from sriqa_metric.calibrate.features.extract import image_codes
from sriqa_metric.calibrate.statistics import pairs_right
from sriqa_metric.calibrate.training.code_batches import order_codes
from sriqa_metric.calibrate.training.rectifier import train_rectifier
from sriqa_metric.calibrate.training.run_folder import RunFolder
from sriqa_metric.calibrate.training.runs import base_metric, feature_store, stage_two_data
from sriqa_metric.calibrate.training.validation import HeldOut, label_figures, scores_of_codes
from sriqa_metric.metric import CalibratedMetric
from sriqa_metric.models.rectifier import Rectifier
from sriqa_metric.weights.format import read_file
from sriqa_metric.weights.load import load_source

CONTENTS = {
    "srcc": "SRCC of method means",
    "pairs": "method pairs",
    "image_pairs": "image pairs",
    "severity": "severity, photos",
    "severity_sr": "severity, SR",
    "labels": "SRCC with MOS",
}
METHODS = {
    "unseen_pairs": "unseen method pairs",
    "voted_pairs": "of these, no place guessed",
    "unseen_image_pairs": "unseen image pairs",
    "severity": "severity, photos",
    "labels": "SRCC with MOS",
}
FULL = "full: B = 64"
STEPS = 1000  # of each rectifier
LADDERS = 500  # photos, as in a run
LABELLED = 2000  # images of each set, to fit the time


def variants(config: RectifierConfig) -> dict[str, RectifierConfig]:
    """The models that have a rectifier; each takes about as many steps as the others."""
    one = replace(config, contents=1)
    return {
        "II: no labelled images": replace(one, labelled_weight=0.0),
        "III: B = 1": one,
        FULL: replace(config, contents=64, groups=1),
    }


class World:
    """Codes of one quality model: of every training result, of ladders, and of what is held out."""

    def __init__(self, config: RunConfig, guessed: Sequence[str]) -> None:
        data = read_data(config)
        self.guessed = {data.full.methods.index(name) for name in guessed}
        self.data = replace(data, labelled=tuple(map(some_of, data.labelled)))
        self.config = config
        self.metric = base_metric(config, torch.device("cpu"))
        self.store = feature_store(config, self.metric, Path(config.data.features))
        self.evaluation = HeldOut(self.metric, self.data, config.seed)
        without = replace(config, rectifier=replace(config.rectifier, ladders=0))
        self.training = stage_two_data(without, self.metric, self.data, self.store, self.evaluation)
        # On photos alone: nothing of a method that is left out is seen.
        rng = np.random.default_rng(config.seed)
        photos = [self.data.photos[i] for i in rng.permutation(len(self.data.photos))[:LADDERS]]
        self.ladders = order_codes(self.metric, photos, on_sr=False, seed=config.seed)

    def figures(self, left_out: set[int], config: RectifierConfig | None) -> dict[str, float]:
        """Figures of the quality model, or with a rectifier trained without some methods."""
        self.evaluation.unseen = left_out
        if config is None:
            return self.figures_of(self.metric)
        kept = [i for i in range(len(self.data.full.methods)) if i not in left_out]
        data = replace(
            self.training,
            results=self.training.results[kept],
            mu=self.training.mu[kept],
            held_out=self.training.held_out[kept],
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
        return self.figures_of(CalibratedMetric("sriqa_lite", model, rectifier, policy))

    def figures_of(self, metric: CalibratedMetric) -> dict[str, float]:
        """What is held out: contents, photos, and images with MOS."""
        labels = label_figures(metric, self.data, lambda paths: self.store.codes(paths)[:, 0])
        return figures_of(metric, self.evaluation, self.guessed, labels)


def figures_of(
    metric: CalibratedMetric, evaluation: HeldOut, guessed: set[int], labels: dict[str, float]
) -> dict[str, float]:
    """Figures on what is held out, `voted_pairs` among them: pairs without a guessed method."""
    kept = [i for i in range(len(evaluation.mu)) if i not in guessed]
    unseen = {place for place, i in enumerate(kept) if i in evaluation.unseen}
    scores = scores_of_codes(metric, evaluation.results)
    voted = pairs_right(scores[kept], evaluation.mu[kept], unseen)
    found = {"labels": float(np.mean([*labels.values()])), "voted_pairs": voted}
    return evaluation.figures(metric) | found


def some_of(labelled: LabelledImages) -> LabelledImages:
    """A set with `LABELLED` of its training images, and all that are kept out."""
    training = np.flatnonzero(np.array(labelled.splits) == "training")
    drawn = np.random.default_rng(0).permutation(training)[LABELLED:]
    return labelled.select(~np.isin(np.arange(len(labelled.paths)), drawn))


def same_steps(config: RectifierConfig, contents: int) -> RectifierConfig:
    """About `STEPS` steps, whatever a step takes of the contents."""
    taken = min(contents, config.contents * config.groups)
    return replace(config, epochs=max(1, round(STEPS / (contents // taken))))


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


Tuned = tuple[set[int], dict[str, float], list[str]]


def tuned_rows(files: list[Path], world: World) -> Iterator[Tuned]:
    """For every quality model trained on everything: methods it never saw, figures, wrong pairs."""
    for file in files:
        seen = read_file(file).description["training_data"]["methods"]
        methods = world.data.full.methods
        left_out = {i for i, name in enumerate(methods) if name not in seen}
        metric = load_source(str(file))
        metric.rectifier = None
        evaluation = HeldOut(metric, world.data, world.config.seed)
        evaluation.unseen = left_out
        codes_of = partial(image_codes, metric, policy=metric.policy)
        labels = label_figures(metric, world.data, codes_of)
        figures = figures_of(metric, evaluation, world.guessed, labels)
        yield left_out, figures, wrong_pairs(metric, evaluation, methods)


def wrong_pairs(metric: CalibratedMetric, evaluation: HeldOut, methods: Sequence[str]) -> list[str]:
    """Pairs, one of them unseen, that the means of scores order against the ranking."""
    means = scores_of_codes(metric, evaluation.results).mean(1)
    return [
        f"{methods[a]} > {methods[b]}"
        for a, b in permutations(range(len(methods)), 2)
        if {a, b} & evaluation.unseen
        and evaluation.mu[a] > evaluation.mu[b]
        and means[a] <= means[b]
    ]


def main() -> None:
    """Train every model for every triple, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--guessed", nargs="*", default=[])
    parser.add_argument("--tuned", type=Path, nargs="*", default=[])
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    config = load_config("sriqa_lite", [*given.overrides, f"base={given.base}"])
    world = World(config, given.guessed)
    models = variants(config.rectifier)
    contents = len(world.data.train.contents)
    models = {name: same_steps(each, contents) for name, each in models.items()}
    tuned = list(tuned_rows(given.tuned, world))

    def rows(left_out: list[set[int]]) -> dict[str, list[dict[str, float]]]:
        found = {"I: no rectifier": [world.figures(each, None) for each in left_out]}
        for name, model in models.items():
            found[name] = [world.figures(each, model) for each in left_out]
        fourth = [figures for each, figures, _ in tuned if each in left_out]
        if fourth:
            found["IV: trained on everything"] = fourth
        return found

    drawn = triples(world.data, given.draws)
    lines = [
        f"{len(world.data.held_contents)} held-out contents, {len(world.data.full.methods)} "
        f"methods, base {world.metric.weights_id}; rectifiers learn from {LABELLED} labelled "
        f"images of each set and take about {STEPS} steps. *Severity*: ladders on "
        f"{len(world.data.held_photos)} held-out photos, and on SR results.",
        "",
        "### All methods trained on",
        "",
        *table(rows([set()]), CONTENTS),
        "",
        f"### Three methods never trained on, {len(drawn)} random triples",
        "",
        *table(rows(drawn), METHODS),
    ]
    lines += ["", "The triples:", ""]
    for each in drawn:
        names = ", ".join(world.data.full.methods[i] for i in sorted(each))
        fourth = [
            f": IV {figures['unseen_pairs']:.3f}, no place guessed {figures['voted_pairs']:.3f}; "
            f"wrong: {', '.join(wrong) or 'none'}"
            for left_out, figures, wrong in tuned
            if each == left_out
        ]
        lines.append(f"- {names}{''.join(fourth)}")
    given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(given.output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
