"""The page of published weights: README.md and manifest.json, made from the weights file alone."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...files import sha256_of
from ...hub import HubFile
from ...names import counted
from ...registry import find_spec
from ...scorers.ours import UNCALIBRATED
from ...weights.encoder import KEY
from ..evaluation.report import write_report
from ..training.report import figure_table
from .evaluation_rows import as_rows
from .export import SAME

# Identifiers of the Hub that licenses of weights commonly have; others are `other` with a name.
_LICENSES = (
    "apache-2.0",
    "mit",
    "bsd-2-clause",
    "bsd-3-clause",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "gpl-3.0",
    "agpl-3.0",
)
_TASK = "image-quality-assessment"


def make_card(weights: Path, description: Mapping[str, Any], repo: str | None) -> str:
    """README.md beside weights: YAML for the Hub, then text; every number is from the file.

    Parameters
    ----------
    weights : Path
        Weights file.
    description : dict
        Of that file, see `weights.read_file`.
    repo : str or None
        `org/name` that it will be in; None for weights inside the package.

    Returns
    -------
    str
    """
    from huggingface_hub import ModelCard

    spec = find_spec(description["metric"])
    data = description["training_data"]
    digest = sha256_of(weights)
    card = ModelCard.from_template(
        _metadata(description, repo),
        template_str=Path(__file__).with_name("card.md").read_text(encoding="utf-8"),
        repo=repo,
        notes=description.get("notes", "").strip(),
        file=f"{spec.name}.safetensors",
        metric=spec.name,
        version=description.get("package_version", ""),
        weights_id=f"sha256:{digest[:12]}",
        digest=digest,
        facts=_facts(description),
        data=_data(data),
        figures=_figures(description),
        methods=data.get("methods", []) if isinstance(data, dict) else [],
    )
    return str(card).rstrip() + "\n"


def make_manifest(weights_id: str, metric: str, files: Mapping[str, Path | bytes]) -> str:
    """manifest.json: size and SHA-256 of every other file of the repository."""
    listed = [{"file": name, **size_and_hash(source)} for name, source in files.items()]
    return json.dumps({"metric": metric, "weights": weights_id, "files": listed}, indent=1) + "\n"


def size_and_hash(source: Path | bytes) -> dict[str, Any]:
    """`bytes` and `sha256` of a file, or of what will be one."""
    if isinstance(source, bytes):
        return {"bytes": len(source), "sha256": hashlib.sha256(source).hexdigest()}
    return {"bytes": source.stat().st_size, "sha256": sha256_of(source)}


def _metadata(description: Mapping[str, Any], repo: str | None) -> Any:
    from huggingface_hub import EvalResult, ModelCardData

    rows = [
        row
        for row in description.get("evaluation", {}).get("rows", [])
        if row["weights"] and not row["weights"].endswith(UNCALIBRATED) and row["value"] is not None
    ]
    license = _slug(description["license"])
    known = license in _LICENSES
    return ModelCardData(
        library_name="sriqa-metric",
        pipeline_tag="other",  # the Hub has no task for image quality
        license=license if known else "other",
        license_name=None if known else license,
        tags=[_TASK, "super-resolution", "no-reference", "pyiqa"],
        datasets=list(_labelled(description["training_data"])) or None,
        metrics=list(dict.fromkeys(_slug(row["figure"]) for row in rows)) or None,
        model_name=(repo or description["metric"]).rpartition("/")[2] if rows else None,
        eval_results=[
            EvalResult(
                task_type=_TASK,
                dataset_type=row["data_set"],
                dataset_name=row["data_set"],
                dataset_config=row["group"],
                metric_type=_slug(row["figure"]),
                metric_name=row["figure"],
                metric_value=row["value"],
            )
            for row in rows
        ]
        or None,
    )


def _slug(text: str) -> str:
    """As the Hub wants identifiers: lower case, with hyphens."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "unknown"


def _labelled(data: Any) -> dict[str, dict[str, Any]]:
    """Labelled sets that were trained on."""
    if not isinstance(data, dict):
        return {}
    return {
        name: told for name, told in data.items() if isinstance(told, dict) and "mos_sha256" in told
    }


def _facts(description: Mapping[str, Any]) -> list[str]:
    policy = description["crop_policy"]
    lines = [
        f"Encoder: {description['encoder']}.",
        f"Reads up to {policy['number']} crops of {policy['size']}×{policy['size']} pixels of an "
        "image, at native resolution.",
        f"License: {description['license']}.",
    ]
    if KEY in description:
        lines.insert(1, _elsewhere(HubFile(**description[KEY])))
    if "encoder_source" in description:
        lines.insert(1, f"Quality model from: {_source(description['encoder_source'])}.")
    if "precision" in description:
        lines.append(_precision(description["precision"]))
    return lines


def _elsewhere(encoder: HubFile) -> str:
    return (
        f"The encoder is not in this file. It is fetched, once, from `{encoder.file}` of "
        f"[{encoder.repo}](https://huggingface.co/{encoder.repo}), commit `{encoder.revision}`, "
        f"SHA-256 `{encoder.sha256}`; the license of that repository applies to it."
    )


def _source(source: Mapping[str, Any]) -> str:
    if "converted_from" in source:
        told = source["converted_from"]
        return f"{told['file']} (SHA-256 `{told['sha256']}`)"
    if "initial" in source:
        return str(source["initial"])
    text = f"weights `{source['weights']}`"
    if "license" in source:
        text += f" (license {source['license']})"
    if "encoder_source" in source:
        text += f", which began from {_source(source['encoder_source'])}"
    return text


def _precision(told: Mapping[str, Any]) -> str:
    known = " and ".join(part.replace("_", " ") for part in told["float32_values"])
    if not known:
        return f"Stored as {told['dtype']}, as the training left it."
    return (
        f"Stored as {told['dtype']}. float16 changes a score by at most "
        f"{told['largest_difference']:.1e} on {told['reference']}, against float32 values of the "
        f"{known}."
    )


def _data(data: Any) -> list[str]:
    """What the training data were, with fingerprints."""
    if not isinstance(data, dict):
        return [str(data)]
    lines = []
    if "sr_results" in data:
        lines.append(
            f"Results of SR methods, {data['sr_results']} contents, SHA-256 `{data['sr_sha256']}`: "
            f"{', '.join(data['methods'])}."
        )
    if "ranking" in data:
        told = f"SHA-256 `{data['ranking_sha256']}`: {_ranked(data['ranking'])}."
        lines.append(f"A ranking of methods, {told}")
    for more in data.get("more_sr", ()):
        lines.append(
            f"Results of other SR methods, or on other contents, {len(more['ranking'])} methods x "
            f"{counted(more['contents'], 'content')}, SHA-256 `{more['sha256']}`: "
            f"{_ranked(more['ranking'])}."
        )
    if "photos" in data:
        lines.append(f"{counted(data['photos'], 'photo')}, SHA-256 `{data['photos_sha256']}`.")
    for name, labelled in _labelled(data).items():
        lines.append(
            f"{name}: {counted(labelled['images'], 'image')} with MOS, SHA-256 of the images "
            f"`{labelled['sha256']}`, of the MOS `{labelled['mos_sha256']}`."
        )
    return lines or ["Not told in the file."]


def _ranked(ranking: Mapping[str, float]) -> str:
    best_first = sorted(ranking.items(), key=lambda item: -item[1])
    return ", ".join(f"{method} ({mu:.2f})" for method, mu in best_first)


def _figures(description: Mapping[str, Any]) -> str:
    parts = []
    if found := description.get("evaluation"):
        parts += ["By `sriqa-calibrate evaluate`, n images, pairs or contents:", _table(found)]
        if set(found["measured_on"].values()) - {SAME}:
            parts.append(
                "Measured with the same weights in float16; the file is more exact, by at most "
                f"{description['precision']['largest_difference']:.1e} on "
                f"{description['precision']['reference']}."
            )
    if held := description.get("held_out"):
        methods = ", ".join(held["methods"]) or "none"
        parts += [
            f"On {counted(len(held['contents']), 'content')} held out of training (and the "
            f"methods held out: {methods}), with the ranking above as truth, without intervals. "
            "The state of the training was chosen by them, so they flatter:",
            "\n".join(figure_table(held["figures"])),
        ]
    return "\n\n".join(parts) or "The file tells none."


def _table(evaluation: Mapping[str, Sequence[Any]]) -> str:
    stream = io.StringIO()
    write_report(as_rows(evaluation["rows"]), evaluation["notes"], "md", stream)
    return stream.getvalue().strip()
