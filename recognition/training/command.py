"""What `sesame train` runs."""
# pyright: basic, reportMissingImports=false
# torch is installed only where somebody trains, so the strict checker cannot see its types.

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from recognition.images import as_floats
from recognition.training.detector import load_detector, train_detector
from recognition.training.errors import TrainingDataError
from recognition.training.export import export_detector, export_reader_quantised
from recognition.training.loop import Recipe
from recognition.training.photographs import Photograph, load_photographs
from recognition.training.reader import load_reader, train_reader
from recognition.training.reader_samples import ReaderSamples

_CALIBRATION_ROWS: Final = 256


@dataclass(frozen=True)
class TrainingJob:
    """One training.

    Attributes:
        out: Folder for the checkpoint and the ONNX file.
        data: Folder with manifest.csv and real pictures, or `None` for painted ones alone.
        without: Folder with a manifest whose plates are kept for measuring.
        initial: A checkpoint to start from.
        painted: How many scenes or plates are painted before the first step.
        real_share: Share of real pictures among the reader's samples.
    """

    out: Path
    steps: int
    seed: int
    rate: float
    threads: int
    data: Path | None
    without: Path | None
    initial: Path | None
    painted: int
    real_share: float = 0.3

    def recipe(self, checkpoint: Path) -> Recipe:
        """Return what the loop needs."""
        return Recipe(self.steps, self.rate, self.seed, checkpoint, self.initial, self.threads)


def run_detector(job: TrainingJob) -> Path:
    """Train and export a detector; returns the ONNX file."""
    job.out.mkdir(parents=True, exist_ok=True)
    checkpoint, exported = job.out / "detector.pt", job.out / "detector.onnx"
    if job.steps:
        train_detector(job.recipe(checkpoint), _photographs(job), scenes=job.painted)
    export_detector(load_detector(_saved(job, checkpoint)), exported)
    return exported


def run_reader(job: TrainingJob) -> Path:
    """Train and export a reader; returns the ONNX file."""
    job.out.mkdir(parents=True, exist_ok=True)
    checkpoint, exported = job.out / "reader.pt", job.out / "reader.onnx"
    photographs = _photographs(job)
    if job.steps:
        train_reader(
            job.recipe(checkpoint), photographs, plates=job.painted, real_share=job.real_share
        )
    rng = np.random.default_rng(job.seed)
    samples = ReaderSamples(rng, _CALIBRATION_ROWS, photographs, job.real_share)
    rows = np.stack([samples.draw()[0] for _ in range(_CALIBRATION_ROWS)])[:, None]
    network = load_reader(_saved(job, checkpoint))
    export_reader_quantised(network, as_floats(rows.astype(np.float32)), exported)
    return exported


def _saved(job: TrainingJob, checkpoint: Path) -> Path:
    """Return the weights to export: with no steps, those that the job starts from."""
    if job.steps:
        return checkpoint
    if job.initial is None:
        raise TrainingDataError("without steps, --initial must name the weights to export")
    return job.initial


def _photographs(job: TrainingJob) -> list[Photograph]:
    if job.data is None:
        return []
    kept = load_photographs(job.without) if job.without else []
    texts = frozenset(text for photograph in kept for text in photograph.texts)
    return load_photographs(job.data, without=texts - {""})
