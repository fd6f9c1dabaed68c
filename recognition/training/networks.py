"""The two networks: a plate detector and a plate reader."""
# pyright: basic, reportMissingImports=false
# torch is installed only where somebody trains, so the strict checker cannot see its types.

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from recognition.alphabet import CLASSES

# The detector's maps have one cell for every 8 x 8 pixels of its input.
STRIDE_PX: Final = 8
# Corner offsets are learned in this unit, so that typical values are near 1.
OFFSET_UNIT_PX: Final = 32.0


def _convolution(
    inputs: int, outputs: int, size: int = 3, stride: int | tuple[int, int] = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def _separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        _convolution(inputs, inputs, 3, stride, groups=inputs), _convolution(inputs, outputs, 1)
    )


def _standardised(pictures: Tensor, dimensions: tuple[int, ...]) -> Tensor:
    """Take out brightness and contrast, so that night and day look alike."""
    mean = pictures.mean(dimensions, keepdim=True)
    spread = ((pictures - mean) ** 2).mean(dimensions, keepdim=True).sqrt().clamp_min(12.0)
    return (pictures - mean) / spread


class PlateDetector(nn.Module):
    """Finds plates: a heat map of centres and, for each cell, the offsets of four corners.

    Input: N x 3 x H x W, blue-green-red, 0 to 255; H and W are multiples of 32.
    Output: heat N x 1 x H/8 x W/8 (0 to 1) and corners N x 8 x H/8 x W/8 (pixels of the input,
    relative to the cell's centre, x and y of top left, top right, bottom right, bottom left).
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _convolution(3, 16, 3, 2), _convolution(16, 24, 3, 2), _separable(24, 24)
        )
        self.eighth = nn.Sequential(_separable(24, 48, 2), _separable(48, 48), _separable(48, 48))
        self.sixteenth = nn.Sequential(
            _separable(48, 96, 2), _separable(96, 96), _separable(96, 96)
        )
        self.thirtysecond = nn.Sequential(
            _separable(96, 128, 2), _separable(128, 128), _separable(128, 128)
        )
        self.from_eighth = nn.Conv2d(48, 64, 1)
        self.from_sixteenth = nn.Conv2d(96, 64, 1)
        self.from_thirtysecond = nn.Conv2d(128, 64, 1)
        self.merge_sixteenth = _separable(64, 64)
        self.merge_eighth = nn.Sequential(_separable(64, 64), _separable(64, 64))
        self.heat = nn.Conv2d(64, 1, 1)
        self.corners = nn.Conv2d(64, 8, 1)
        # Almost every cell is empty: start there, or the first steps only learn to say no.
        nn.init.constant_(self.heat.bias, -4.6)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return heat and corners."""
        eighth = self.eighth(self.stem(_standardised(pictures, (1, 2, 3))))
        sixteenth = self.sixteenth(eighth)
        coarse = self.from_thirtysecond(self.thirtysecond(sixteenth))
        middle = self.merge_sixteenth(self.from_sixteenth(sixteenth) + _doubled(coarse))
        fine = self.merge_eighth(self.from_eighth(eighth) + _doubled(middle))
        return torch.sigmoid(self.heat(fine).float()), self.corners(fine).float() * OFFSET_UNIT_PX


def _doubled(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2.0, mode="nearest")


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            _convolution(channels, channels),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return functional.relu(maps + self.inner(maps))


class PlateReader(nn.Module):
    """Reads a rectified plate row with connectionist temporal classification.

    Input: N x 1 x 48 x 160, gray, 0 to 255. Output: N x 40 x classes, logarithms of probabilities.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (20, 40, 88, 128)) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.features = nn.Sequential(
            _convolution(1, first, 3, (2, 2)),
            _Residual(first),
            _convolution(first, second, 3, (2, 2)),
            _Residual(second),
            _convolution(second, third, 3, (2, 1)),
            _Residual(third),
            _convolution(third, fourth, 3, (2, 1)),
            _Residual(fourth),
        )
        self.column = nn.Sequential(
            nn.Conv2d(fourth, fourth, (3, 1), bias=False),
            nn.BatchNorm2d(fourth),
            nn.ReLU(inplace=True),
        )
        self.context = nn.Sequential(
            nn.Conv1d(fourth, fourth, 7, padding=3, groups=fourth, bias=False),
            nn.Conv1d(fourth, fourth, 1, bias=False),
            nn.BatchNorm1d(fourth),
            nn.ReLU(inplace=True),
            nn.Dropout(0.1),
        )
        self.classes = nn.Conv1d(fourth, CLASSES, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the logarithms of the class probabilities of every column."""
        columns = self.column(self.features(_standardised(pictures, (1, 2, 3)))).squeeze(2)
        scores = self.classes(columns + self.context(columns))
        return scores.float().permute(0, 2, 1).log_softmax(-1)
