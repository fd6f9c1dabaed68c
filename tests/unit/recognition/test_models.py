"""models.toml: what is loaded is what was measured."""

import hashlib
from pathlib import Path

import pytest

from recognition.errors import ModelError
from recognition.models import MODELS_FILE, deciding_thresholds, load_models

ENTRY = """
[{part}]
name = "{part}-9"
file = "{part}.onnx"
sha256 = "{sha256}"
input_width_px = 160
input_height_px = 48
licence = "Apache-2.0"
parameters = 12
recipe = {{ command = "sesame train {part}", data = "painted", steps = 1, seed = 2 }}
"""


def folder_with(path: Path, **changes: str) -> Path:
    text = ""
    for part in ("detector", "reader"):
        weights = f"weights of the {part}".encode()
        (path / f"{part}.onnx").write_bytes(weights)
        sha256 = changes.get(part, hashlib.sha256(weights).hexdigest())
        text += ENTRY.format(part=part, sha256=sha256)
    (path / "models.toml").write_text(text)
    return path / "models.toml"


def test_verified_models_have_a_name(tmp_path: Path) -> None:
    models = load_models(folder_with(tmp_path))
    assert models.name == "detector-9+reader-9"
    assert models.reader_file == tmp_path / "reader.onnx"


def test_a_calibrated_reader_says_what_decides_a_dispute(tmp_path: Path) -> None:
    path = folder_with(tmp_path)
    assert deciding_thresholds(path) == {}
    # The reader comes last in the file.
    path.write_text(path.read_text() + "deciding_threshold = 0.93\n")
    assert deciding_thresholds(path) == {load_models(path).name: 0.93}
    path.write_text(path.read_text().replace("0.93", "1.5"))
    with pytest.raises(ModelError, match="deciding_threshold"):
        deciding_thresholds(path)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    path = folder_with(tmp_path, reader="0" * 64)
    with pytest.raises(ModelError, match=r"^reader\.onnx: expected SHA-256 0{64}, found "):
        load_models(path)


def test_missing_weights(tmp_path: Path) -> None:
    path = folder_with(tmp_path)
    (tmp_path / "detector.onnx").unlink()
    with pytest.raises(ModelError, match=r"^detector\.onnx cannot be read: No such file"):
        load_models(path)


def test_a_malformed_file(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text("[detector\n")
    with pytest.raises(ModelError, match=r"^models\.toml: "):
        load_models(path)


def test_an_unknown_key_is_a_mistake(tmp_path: Path) -> None:
    path = folder_with(tmp_path)
    path.write_text(path.read_text().replace("parameters", "params"))
    with pytest.raises(ModelError, match=r"detector\.params"):
        load_models(path)


def test_the_shipped_weights_are_those_of_the_file_and_small() -> None:
    models = load_models()
    size = models.detector_file.stat().st_size + models.reader_file.stat().st_size
    assert size < 6_000_000
    assert {models.detector.licence, models.reader.licence} == {"Apache-2.0"}
    for model in (models.detector, models.reader):
        assert model.recipe.steps > 0
        assert all("--manifest" in each.command for each in model.measured)
    assert MODELS_FILE.name == "models.toml"
