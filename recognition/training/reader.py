"""Trains the reader."""
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

from recognition.alphabet import INDEX
from recognition.training.loop import Recipe, train
from recognition.training.networks import PlateReader
from recognition.training.photographs import Photograph
from recognition.training.reader_samples import ReaderSamples

BATCH: Final = 128
_WORKERS: Final = 1


class _Batches(IterableDataset[tuple[Tensor, ...]]):
    def __init__(
        self, seed: int, plates: int, photographs: list[Photograph], real_share: float
    ) -> None:
        self._seed, self._plates = seed, plates
        self._photographs, self._real_share = photographs, real_share

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        worker = get_worker_info()
        # One picture at a time a process: more threads would only wait for each other.
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self._seed, worker.id if worker else 0])
        samples = ReaderSamples(rng, self._plates, self._photographs, self._real_share)
        while True:
            rows, texts = zip(*(samples.draw() for _ in range(BATCH)), strict=True)
            labels = [INDEX[character] for text in texts for character in text]
            lengths = torch.tensor([len(text) for text in texts])
            yield torch.from_numpy(np.stack(rows)), torch.tensor(labels), lengths


def _loss(network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    rows, labels, lengths = batch
    wide = rows.float().unsqueeze(1).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        said = network(wide)
    steps = torch.full((said.shape[0],), said.shape[1])
    return functional.ctc_loss(said.permute(1, 0, 2), labels, steps, lengths, zero_infinity=True)


def train_reader(
    recipe: Recipe, photographs: list[Photograph], *, plates: int, real_share: float
) -> PlateReader:
    """Train a reader; return it with its weights."""
    torch.manual_seed(recipe.seed)
    network = PlateReader()
    batches = _Batches(recipe.seed, plates, photographs, real_share)
    loader = DataLoader(batches, batch_size=None, num_workers=_WORKERS, prefetch_factor=8)
    train(network, cast("Iterator[tuple[Tensor, ...]]", iter(loader)), _loss, recipe)
    return network


def load_reader(weights: Path) -> PlateReader:
    """Return the network with saved weights, ready to run."""
    network = PlateReader()
    network.load_state_dict(torch.load(weights))
    return network.eval()
