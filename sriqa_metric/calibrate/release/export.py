"""`sriqa-calibrate export`: the final weights file of a finished run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import SriqaError, WeightsError
from ...files import sha256_of
from ...hub import HubFile, fetch
from ...registry import CATALOG, find_spec
from ...weights.checkpoints import read_checkpoint
from ...weights.encoder import METRIC, is_encoder, parse_encoder, read_encoder
from ...weights.format import WeightsFile, read_file, save_weights
from ...weights.load import find_weights, read_weights
from .evaluation_rows import owner, read_figures
from .precision import choose_dtype

SAME = "these tensors"
ROUNDED = "these tensors in float16"
_CARRIED = ("training_data", "settings", "base", "rectifier", "converted_from")
_CHECKPOINTS = {"rectifier": "rectifier", "labels": "quality_model"}  # stage -> what it trains


def export(
    run: Path,
    output: Path,
    license: str,
    evaluations: Sequence[Path] = (),
    reference: Path | None = None,
    encoder: str | None = None,
    notes: str = "",
) -> dict[str, Any]:
    """Write the weights file of a run with everything that others need to know of it.

    The run's own weights file is float16. The float32 values beside it are the rectifier's (or a
    stage 1's quality model's) in the checkpoint and the quality model's in the base, each if it is
    still there and rounds to what the file holds. What has no float32 values any more is taken as
    it is: nothing can be said of its rounding, and `precision.float32_values` does not name it.

    Parameters
    ----------
    run : Path
        Folder of a finished run.
    output : Path
        File to write. The same run, figures and output give the same bytes.
    license : str
        What the weights may be used for.
    evaluations : sequence of Path
        JSON reports of `sriqa-calibrate evaluate`, of the run's weights file or of an earlier
        export with the same tensors that still lies at `output`.
    reference : Path, optional
        Folder of images that the dtype is chosen on, beside twelve made ones.
    encoder : str, optional
        `ORG/NAME@COMMIT:FILE`, a CLIP on the Hub whose visual tower is the run's encoder, rounded.
        The file written is thin: in float32, without the encoder, and it scores with that one's
        own values.
    notes : str
        Markdown for the card: what readers should know beyond what the run knows of itself.

    Returns
    -------
    dict
        `dtype`, `largest_difference` of a score, `reference`, and `float32_values`.

    Raises
    ------
    SriqaError
        If the run is not finished or its files do not belong together, for figures of other
        weights, for reference images that cannot be scored, for an encoder that cannot be had or
        is not the run's, and if the file cannot be written.
    """
    stored = run / "weights.safetensors"
    if output.exists() and output.samefile(stored):
        raise SriqaError(f"{output}: is the run's own file; give another name")
    report, config = (_read_json(run / name) for name in ("report.json", "config.json"))
    file = read_file(stored)
    tensors, description = file.tensors, file.description
    metric = read_weights(stored, find_spec(report["metric"]))
    base = _base(config, description)
    full, known = _full(run, tensors, base)
    there = _pinned(encoder, metric.name) if encoder is not None else None
    if there:
        full |= _same_encoder(there, tensors, stored)
        if "quality_model" not in known:
            known.append("encoder")
    precision = choose_dtype(metric, full, reference) | {"float32_values": known}
    if there:
        precision["dtype"] = "float32"  # what is left is small
    if precision["dtype"] == "float32":
        metric.load_state_dict(full)
        tensors = full
    hashed = tensors_sha256(tensors)
    run_id = file.weights_id
    measured_on = {run_id: SAME if precision["dtype"] == "float16" else ROUNDED}
    if earlier := _id_if_same(output, hashed):
        measured_on[earlier] = SAME
    record = {key: description[key] for key in _CARRIED if key in description}
    if "settings" in record:
        record["settings"] = _without_folders(record["settings"])
    record |= {
        "encoder_source": _encoder_source(description, base),
        "license": license,
        "held_out": {
            "contents": report["held_contents"],
            "methods": report["held_methods"],
            "figures": report["figures"],
        },
        "precision": precision,
        "run": {"weights": run_id},
        "tensors_sha256": hashed,
    }
    if notes:
        record["notes"] = notes
    if evaluations:
        found = read_figures(evaluations, metric.name, measured_on)
        used = {owner(row) for row in found["rows"]}
        found["measured_on"] = {key: how for key, how in measured_on.items() if key in used}
        record["evaluation"] = found
    save_weights(output, metric, record, getattr(torch, precision["dtype"]), there)
    return precision


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the names, shapes and values of float32 tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)}\n".encode())
        digest.update(tensors[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SriqaError(f"{path.parent}: no finished run: there is no {path.name}") from None
    except (OSError, TypeError, ValueError) as error:
        raise SriqaError(f"{path}: cannot be read: {error}") from None


def _base(config: Mapping[str, Any], description: Mapping[str, Any]) -> WeightsFile | None:
    """The file that a stage 2 started from, if it is still there."""
    wanted = description.get("base", {}).get("weights")
    if not wanted or not config.get("base"):
        return None
    name = config["base"]
    try:
        path = find_weights(CATALOG[name]) if name in CATALOG else Path(name)
        found = read_file(path)
        return found if found.weights_id == wanted else None
    except (OSError, WeightsError):
        return None


def _full(
    run: Path, tensors: Mapping[str, Tensor], base: WeightsFile | None
) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors, in float32 where the run has such values, and the parts that it has them of."""
    full, known = dict(tensors), []
    for part, source, values in _full_parts(run, base):
        expected = {name for name in tensors if name.startswith(f"{part}.")}
        same = values.keys() == expected and all(
            torch.equal(values[name].half().float(), tensors[name]) for name in expected
        )
        if not same:
            raise SriqaError(f"{source}: its {part} is not that of {run / 'weights.safetensors'}")
        full |= values
        known.append(part)
    return full, known


def _full_parts(
    run: Path, base: WeightsFile | None
) -> Iterator[tuple[str, str, dict[str, Tensor]]]:
    """Part of the metric, where its float32 values are from, and the values."""
    for stage, part in _CHECKPOINTS.items():
        path = run / f"{stage}.checkpoint"
        if not path.exists():
            continue
        try:
            state = read_checkpoint(path)["state"]["best_state"]
            values = {f"{part}.{name}": tensor.float() for name, tensor in state.items()}
        except (AttributeError, KeyError, TypeError) as error:
            raise SriqaError(f"{path}: is no checkpoint of a run: {error!r}") from None
        yield part, str(path), values
    if base:
        model = {n: value for n, value in base.tensors.items() if n.startswith("quality_model.")}
        yield "quality_model", "the base", model


def _pinned(encoder: str, metric: str) -> HubFile:
    """The file that has the encoder, with the SHA-256 that it is found to have."""
    if metric != METRIC:
        raise SriqaError(f"encoder {encoder!r}: only {METRIC} can do without its own, not {metric}")
    wanted = parse_encoder(encoder)
    return replace(wanted, sha256=sha256_of(fetch(wanted)))


def _same_encoder(
    wanted: HubFile, tensors: Mapping[str, Tensor], stored: Path
) -> dict[str, Tensor]:
    """The encoder in that file, if the run's is the same in float16."""
    found = read_encoder(wanted)
    for name in sorted(found.keys() | set(filter(is_encoder, tensors))):
        there, here = found.get(name), tensors.get(name)
        if there is None or here is None or not torch.equal(there.half().float(), here):
            raise SriqaError(
                f"{wanted.file} of {wanted.repo}: is not the encoder of {stored}; the first tensor "
                f"that differs is {name!r}"
            )
    return found


def _id_if_same(path: Path, hashed: str) -> str | None:
    """Id of a weights file, if there is one here with these tensors."""
    try:
        found = read_file(path)
        return found.weights_id if tensors_sha256(found.tensors) == hashed else None
    except (OSError, WeightsError):
        return None


def _without_folders(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without the folders of the files that a run started from."""
    return {
        key: Path(value).name if key in ("base", "initial") else value
        for key, value in settings.items()
    }


def _encoder_source(description: Mapping[str, Any], base: WeightsFile | None) -> dict[str, Any]:
    """What the encoder was before this run: a file, what that tells of itself, or how it began."""
    if "converted_from" in description:
        return {"converted_from": description["converted_from"]}
    if "base" not in description:
        settings = description.get("settings")
        if settings and description["metric"] == "sriqa_lite":
            return {"initial": "ImageNet weights"}
        return {"initial": _without_folders(settings or {}).get("initial") or "not told"}
    found: dict[str, Any] = {"weights": description["base"]["weights"]}
    if base:
        told = base.description
        found |= {key: told[key] for key in ("license", "training_data")}
        found["encoder_source"] = told.get("encoder_source") or _encoder_source(told, None)
    return found
