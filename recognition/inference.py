"""Runs one network on ONNX Runtime."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, cast

import numpy as np
import onnxruntime

from recognition.errors import ModelError
from recognition.images import Floats

THREADS_MAX: Final = 2


class _Session(Protocol):
    def run(
        self, output_names: None, input_feed: Mapping[str, np.ndarray]
    ) -> Sequence[np.ndarray]: ...

    def get_inputs(self) -> Sequence["_Node"]: ...


class _Node(Protocol):
    name: str


class _Options(Protocol):
    intra_op_num_threads: int
    inter_op_num_threads: int

    def add_session_config_entry(self, key: str, value: str) -> None: ...


class _Runtime(Protocol):
    """The part of onnxruntime that is used here; the package ships no types."""

    SessionOptions: type[_Options]

    def InferenceSession(  # noqa: N802 # the name is the library's
        self, path: str, options: _Options, *, providers: list[str]
    ) -> _Session: ...


_RUNTIME: Final = cast("_Runtime", onnxruntime)


class Network:
    """A loaded network with one input."""

    def __init__(self, weights: Path, *, threads: int = 1) -> None:
        """Load the weights.

        Args:
            weights: An ONNX file.
            threads: Of one run; workers scale by processes, so one or two.

        Raises:
            ModelError: the runtime cannot load the file.
        """
        options = _RUNTIME.SessionOptions()
        options.intra_op_num_threads = min(threads, THREADS_MAX)
        options.inter_op_num_threads = 1
        # Spinning threads would take the core from the web server beside this process.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = _RUNTIME.InferenceSession(
                str(weights), options, providers=["CPUExecutionProvider"]
            )
        # The runtime raises types of its own C++ module, all of them directly below Exception.
        except Exception as error:
            raise ModelError(f"{weights.name} cannot be loaded: {error}") from error
        self._input = self._session.get_inputs()[0].name

    def run(self, batch: Floats) -> list[Floats]:
        """Return every output of the network."""
        return [cast("Floats", output) for output in self._session.run(None, {self._input: batch})]
