"""A weights file as an ONNX file: the whole metric, from pixels to scores, for any size."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch

from .errors import SriqaError
from .files import replaced
from .registry import find_spec
from .version import __version__
from .weights.header import read_description
from .weights.load import read_weights

_SHOWN = 200  # characters of what the exporter says


def export_onnx(weights: Path, output: Path) -> str:
    """Write a metric as an ONNX file.

    Its input ``images`` (batch, 3, height, width) is float32 in [0, 1], RGB, of any size; values
    are not checked. Its output ``scores`` (batch, 1) is what `CalibratedMetric` gives, to 1e-4.
    Crops are cut, and small images enlarged, inside the graph. The file's metadata name metric,
    weights, license and the version of this package.

    Parameters
    ----------
    weights : Path
        A weights file of any metric.
    output : Path
        Written under another name first, then moved here, so a file is never half there.

    Returns
    -------
    str
        What identifies the weights, as in every output.

    Raises
    ------
    SriqaError
        If the packages of the extra `onnx` are not installed, the weights are missing or wrong, or
        the file cannot be written.
    """
    description = read_description(weights)
    name = str(description["metric"])
    metric = read_weights(weights, find_spec(name))
    try:
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise SriqaError(
            f"{output}: writing ONNX needs onnxscript, but there is no module {error.name!r}; "
            "pip install 'sriqa-metric[onnx]'"
        ) from None
    side = metric.policy.size
    try:
        exported = torch.onnx.export(
            metric,
            (torch.zeros(2, 3, side + 1, side + 2),),
            input_names=["images"],
            output_names=["scores"],
            dynamic_shapes=({0: "batch", 2: "height", 3: "width"},),
            dynamo=True,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error)[:_SHOWN]
        raise SriqaError(f"{weights}: {name} cannot be written as ONNX: {reason}") from None
    program = cast("torch.onnx.ONNXProgram", exported)  # as it is with dynamo=True
    program.model.metadata_props.update(
        metric=name,
        weights=metric.weights_id,
        license=str(description["license"]),
        package_version=__version__,
    )
    with replaced(output) as partial:
        program.save(partial, external_data=False)
    return metric.weights_id
