"""The training loop that both networks share."""
# pyright: basic, reportMissingImports=false
# torch is installed only where somebody trains, so the strict checker cannot see its types.

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

_GRADIENT_NORM_MAX: Final = 5.0
_REPORT_EVERY_STEPS: Final = 50
_SAVE_EVERY_STEPS: Final = 500
_WARM_UP_SHARE: Final = 0.08

# Takes the network and one batch, returns the loss.
Loss = Callable[[nn.Module, tuple[Tensor, ...]], Tensor]


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        steps: Batches in all.
        rate: The highest learning rate of the one-cycle schedule.
        seed: Of the weights; the samples have their own generators, seeded from it.
        checkpoint: Where the weights are saved now and then, and at the end.
        initial: Weights to start from.
        threads: Of torch, in this process.
    """

    steps: int
    rate: float
    seed: int
    checkpoint: Path
    initial: Path | None = None
    threads: int = 1


def train(
    network: nn.Module, batches: Iterator[tuple[Tensor, ...]], loss_of: Loss, recipe: Recipe
) -> None:
    """Train the network in place and save its weights."""
    torch.set_num_threads(recipe.threads)
    if recipe.initial is not None:
        network.load_state_dict(torch.load(recipe.initial))
    network.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.rate, total_steps=recipe.steps, pct_start=_WARM_UP_SHARE
    )
    with _progress() as progress:
        task = progress.add_task("training", total=recipe.steps, loss=float("nan"))
        average = None
        for step in range(1, recipe.steps + 1):
            loss = loss_of(network, next(batches))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), _GRADIENT_NORM_MAX)
            optimizer.step()
            schedule.step()
            value = float(loss.detach())
            average = value if average is None else 0.98 * average + 0.02 * value
            progress.update(task, advance=1, loss=average)
            if step % _REPORT_EVERY_STEPS == 0 and not progress.console.is_terminal:
                progress.console.print(f"step {step}/{recipe.steps} loss {average:.4f}")
            if step % _SAVE_EVERY_STEPS == 0 or step == recipe.steps:
                torch.save(network.state_dict(), recipe.checkpoint)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
    )
