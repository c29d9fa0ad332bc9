"""What a reader must know before using the numbers of a ranking."""

from __future__ import annotations

from ...files import listed
from ...names import counted
from .oracle import NEEDS_TWO
from .results import RankReport

FEW_CLUSTERS = 10


def notes(report: RankReport, bootstrap: int) -> list[str]:
    """Notes on a ranking that was made with so many resamples."""
    made = report.intervals
    found = []
    if made.method == "asymptotic":
        why = "one observer and one content cannot be resampled: " if bootstrap else ""
        found.append(f"{why}the intervals take all votes as independent, and may be too narrow")
    elif made.clusters < FEW_CLUSTERS:
        found.append(f"the votes come from only {made.clusters} {made.over}: intervals are rough")
    if report.oracle_pairs < report.n_pairs:
        rests = f"rests on {counted(report.oracle_pairs, 'image pair')} of two votes or more"
        found.append(f"the human 2AFC score {rests if report.oracle_pairs else NEEDS_TWO}")
    if made.without_ranking:
        share = made.without_ranking / made.resamples
        effect = "the intervals are unbounded" if share > 0.025 else "they widen the intervals"
        found.append(
            f"no ranking in {made.without_ranking} of {counted(made.resamples, 'resample')}, where "
            f"some method won or lost every vote or was not compared; counted as beyond both ends, "
            f"{effect}; more votes or a prior variance help"
        )
    found.extend(
        f"group {name}: no ranking of its own: {group['error']}"
        for name, group in report.groups.items()
        if "error" in group
    )
    others = [f"{n} {kind}" for kind, n in report.n_rows.items() if n and kind != "trial"]
    if others:
        found.append(f"rows that do not count in the ranking: {', '.join(others)}")
    if twice := sum(o.n_duplicates for o in report.observers):
        found.append(
            f"{counted(twice, 'trial')} asked an observer what an earlier trial had asked, and not "
            "marked as repeats: all count in the ranking"
        )
    flagged = [o.name for o in report.observers if o.flagged]
    if flagged:
        found.append(
            f"a look is due at {len(flagged)} of {counted(len(report.observers), 'observer')}, "
            f"whose votes count all the same: {listed(flagged, 10)}"
        )
    unknown = [o.name for o in report.observers if o.n_votes and o.log_likelihood is None]
    if unknown:
        why = "not compared with the others, whose votes alone give no ranking"
        found.append(f"{why}: {listed(unknown, 10)}")
    return found
