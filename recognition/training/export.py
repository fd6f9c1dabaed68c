"""Turns trained networks into ONNX files."""
# pyright: basic, reportMissingImports=false
# torch and onnx are installed only where somebody trains, so the strict checker cannot see them.

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from recognition.images import Floats
from recognition.rectify import ROW_HEIGHT_PX, ROW_WIDTH_PX
from recognition.training.detector_samples import HEIGHT_PX, WIDTH_PX
from recognition.training.networks import PlateDetector, PlateReader

_OPSET: Final = 17


def export_detector(network: PlateDetector, path: Path) -> None:
    """Write the detector for pictures of its training size, one at a time."""
    example = torch.zeros(1, 3, HEIGHT_PX, WIDTH_PX)
    _export(network, example, path, ["heat", "corners"], {})


def export_reader(network: PlateReader, path: Path) -> None:
    """Write the reader for any number of rows at a time."""
    example = torch.zeros(1, 1, ROW_HEIGHT_PX, ROW_WIDTH_PX)
    _export(network, example, path, ["logarithms"], {"pictures": {0: "rows"}})


def export_reader_quantised(network: PlateReader, rows: Floats, path: Path) -> None:
    """Write the reader with 8-bit weights and activations.

    Args:
        network: The trained network.
        rows: N x 1 x 48 x 160, typical inputs that set the ranges of the activations.
        path: Where to write.
    """
    with tempfile.TemporaryDirectory() as folder:
        exact, prepared = Path(folder) / "exact.onnx", Path(folder) / "prepared.onnx"
        export_reader(network, exact)
        quant_pre_process(str(exact), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(path),
            _Rows(rows),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # Normalisation needs more than eight bits; only the convolutions are worth it.
            op_types_to_quantize=["Conv"],
        )


class _Rows(CalibrationDataReader):
    def __init__(self, rows: Floats) -> None:
        self._rows: Iterator[np.ndarray] = iter(rows)

    def get_next(self) -> dict[str, np.ndarray] | None:
        row = next(self._rows, None)
        return None if row is None else {"pictures": row[None]}


def _export(
    network: nn.Module,
    example: torch.Tensor,
    path: Path,
    outputs: list[str],
    dynamic_axes: dict[str, dict[int, str]],
) -> None:
    torch.onnx.export(
        network.eval(),
        (example,),
        str(path),
        opset_version=_OPSET,
        dynamo=False,
        input_names=["pictures"],
        output_names=outputs,
        dynamic_axes=dynamic_axes,
    )
