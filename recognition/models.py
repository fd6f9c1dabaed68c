"""Which weights are in use: models.toml, with the SHA-256 of every file."""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recognition.errors import ModelError

MODELS_FILE: Final = Path(__file__).with_name("models.toml")


class Recipe(BaseModel):
    """How somebody can make these weights again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str
    data: str
    steps: int
    seed: int


class Measurement(BaseModel):
    """One measured figure and the command that printed it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: str
    value: float
    plates: int
    command: str


class Model(BaseModel):
    """One network.

    Attributes:
        file: Relative to models.toml.
        input_width_px: What the network takes; the picture is fitted into it.
        threshold: Below this score a detection is noise; unused by a reader.
        deciding_threshold: What a read must be worth to be believed in a dispute: the confidence
            from which no read of pictures that were kept out of training was wrong. Unused by a
            detector.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    input_width_px: Annotated[int, Field(ge=32, le=4096)]
    input_height_px: Annotated[int, Field(ge=32, le=4096)]
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    deciding_threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    licence: str
    parameters: int
    recipe: Recipe
    measured: tuple[Measurement, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    detector: Model
    reader: Model


@dataclass(frozen=True)
class ModelSet:
    """A detector and a reader whose files were verified."""

    detector: Model
    reader: Model
    detector_file: Path
    reader_file: Path

    @property
    def name(self) -> str:
        """Name both, for the record of an observation."""
        return _name(self.detector, self.reader)


def load_models(path: Path = MODELS_FILE) -> ModelSet:
    """Read models.toml and verify the weights.

    Raises:
        ModelError: a file is missing, malformed, or is not the one that was measured.
    """
    listed = _listed(path)
    return ModelSet(
        listed.detector,
        listed.reader,
        _verified(path.parent, listed.detector),
        _verified(path.parent, listed.reader),
    )


def deciding_thresholds(path: Path = MODELS_FILE) -> dict[str, float]:
    """Return what a read must be worth to decide a dispute, by the name kept with observations.

    The weights are not looked at: whoever judges a read of long ago need not have them.

    Raises:
        ModelError: the file is missing or malformed.
    """
    listed = _listed(path)
    threshold = listed.reader.deciding_threshold
    return {} if threshold is None else {_name(listed.detector, listed.reader): threshold}


def _listed(path: Path) -> _File:
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ModelError(f"{path.name}: {error}") from error


def _name(detector: Model, reader: Model) -> str:
    return f"{detector.name}+{reader.name}"


def _verified(folder: Path, model: Model) -> Path:
    weights = folder / model.file
    try:
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"{model.file} cannot be read: {error.strerror}") from error
    if found != model.sha256:
        raise ModelError(
            f"{model.file}: expected SHA-256 {model.sha256}, found {found}; "
            "fetch the file again, or write its new hash and accuracy into models.toml"
        )
    return weights
