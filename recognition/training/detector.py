"""Trains the detector."""
# pyright: basic, reportMissingImports=false
# torch is installed only where somebody trains, so the strict checker cannot see its types.

from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from recognition.training.detector_samples import DetectorSamples, Target, paint_scenes
from recognition.training.loop import Recipe, train
from recognition.training.networks import PlateDetector
from recognition.training.photographs import Photograph

BATCH: Final = 16
_CORNER_SHARE: Final = 0.6
_PEAK: Final = 0.99


class _Batches(IterableDataset[tuple[Tensor, ...]]):
    def __init__(self, seed: int, scenes: int, photographs: list[Photograph]) -> None:
        self._seed, self._scenes, self._photographs = seed, scenes, photographs

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        worker = get_worker_info()
        # One picture at a time a process: more threads would only wait for each other.
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self._seed, worker.id if worker else 0])
        samples = DetectorSamples(rng, paint_scenes(rng, self._scenes), self._photographs)
        while True:
            yield _batch([samples.draw() for _ in range(BATCH)])


def _batch(drawn: list[tuple[np.ndarray, Target]]) -> tuple[Tensor, ...]:
    pictures = np.stack([picture.transpose(2, 0, 1) for picture, _ in drawn])
    maps = (
        np.stack([getattr(target, name) for _, target in drawn])
        for name in ("heat", "corners", "weight")
    )
    return (torch.from_numpy(pictures), *(torch.from_numpy(part) for part in maps))


def _loss(network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    pictures, heat, corners, weight = batch
    wide = pictures.float().contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        said_heat, said_corners = network(wide)
    said = said_heat[:, 0].clamp(1e-4, 1 - 1e-4)
    peaks = heat > _PEAK
    # The penalty-reduced focal loss of "Objects as Points": near a centre, high heat is forgiven.
    focal = torch.where(
        peaks,
        (1 - said) ** 2 * said.log(),
        (1 - heat) ** 4 * said**2 * (1 - said).log(),
    )
    found = -focal.sum() / peaks.sum().clamp_min(1)
    error = functional.smooth_l1_loss(said_corners, corners, reduction="none").mean(1)
    placed = (error * weight).sum() / (weight > 0).sum().clamp_min(1)
    return found + _CORNER_SHARE * 10 * placed


def train_detector(recipe: Recipe, photographs: list[Photograph], *, scenes: int) -> PlateDetector:
    """Train a detector; return it with its weights."""
    torch.manual_seed(recipe.seed)
    network = PlateDetector()
    loader = DataLoader(
        _Batches(recipe.seed, scenes, photographs),
        batch_size=None,
        num_workers=1,
        prefetch_factor=8,
    )
    train(network, cast("Iterator[tuple[Tensor, ...]]", iter(loader)), _loss, recipe)
    return network


def load_detector(weights: Path) -> PlateDetector:
    """Return the network with saved weights, ready to run."""
    network = PlateDetector()
    network.load_state_dict(torch.load(weights))
    return network.eval()
