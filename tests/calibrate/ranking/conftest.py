import csv

import numpy as np
import pytest
from scipy.special import ndtr

from sriqa_metric.calibrate.data.vote_files import read_votes

HEADER = "observer,content,method_a,method_b,choice,group,kind,expected"
MU = {"best": 0.8, "[good]": 0.2, "good, too": 0.15, "worst": -1.15}


@pytest.fixture
def made(tmp_path, rng):
    """Votes of six observers on twelve contents; the rows can be added to."""

    def make(*more, observers=6, contents=12, mu=MU):
        path = tmp_path / "votes.csv"
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(HEADER.split(","))
            names = list(mu)
            for observer in range(observers):
                for content in range(contents):
                    for i, j in zip(*np.triu_indices(len(names), 1), strict=True):
                        a, b = names[i], names[j]
                        choice = "a" if rng.random() < ndtr(mu[a] - mu[b]) else "b"
                        group = "mad" if content % 2 else "mid"
                        writer.writerow(
                            [f"o{observer}", f"c{content}", a, b, choice, group, "trial", ""]
                        )
            writer.writerows(more)
        return read_votes(path)

    return make
