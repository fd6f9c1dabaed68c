"""Which cars play, with the product's own reader and real pictures."""

from pathlib import Path
from shutil import copy
from uuid import UUID

import pytest

from gate_bridge.agent.errors import PictureError
from parking.plates.normalise import fold_plate
from parking.plates.reads import PlateRead
from parking.sessions.rules import Candidate, ReadText, best_match
from recognition.pipeline import Recognizer
from recognition.vote import vote
from sesame.demo.cars import RENDERED, Cast, DemoCar, choose_cast
from sesame.demo.dirt import dirty_copies
from sesame.demo.photographs import cars_of


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Cast:
    return choose_cast(None, tmp_path_factory.mktemp("workshop"))


def cars(cast: Cast) -> list[DemoCar]:
    return [
        cast.bound,
        cast.temporary,
        cast.declined,
        cast.frozen,
        cast.commuter,
        cast.contested,
        cast.two_accounts,
        cast.lost_answer,
        cast.on_credit,
        cast.partner,
        cast.misread.car,
    ]


def lane_read(recognizer: Recognizer, pictures: tuple[Path, ...]) -> PlateRead:
    """Return what a lane decides on that sees the pictures twice in turn."""
    reads = [recognizer.recognize(path.read_bytes()).read for path in pictures]
    outcome = vote([read for read in reads * 2 if read is not None])
    assert outcome.read is not None
    return outcome.read


def session_id(index: int) -> UUID:
    return UUID(int=index)


def test_eleven_different_plates_are_read_right(rendered: Cast, recognizer: Recognizer) -> None:
    assert len({car.plate for car in cars(rendered)}) == 11
    for car in cars(rendered):
        assert fold_plate(lane_read(recognizer, car.pictures).text) == car.plate


def test_misread_differs_and_still_means_its_car(rendered: Cast, recognizer: Recognizer) -> None:
    misread = rendered.misread
    read = lane_read(recognizer, misread.pictures)
    assert fold_plate(read.text) != misread.car.plate
    plates = [car.plate for car in cars(rendered)]
    characters = tuple(one.probability for one in read.characters)
    offered = tuple((one.text, one.probability) for one in read.alternatives)
    inside = [Candidate(session_id(index), plate) for index, plate in enumerate(plates)]
    match = best_match(ReadText(read.text, characters, offered), inside)
    assert match is not None
    assert match.session_id == session_id(plates.index(misread.car.plate))


def test_few_photographs_are_completed_with_our_own(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("munich-1.jpg", "munich-2.jpg"):
        copy(RENDERED / name, photos / name)
    cast = choose_cast(photos, tmp_path / "workshop")
    mine = [car for car in cars(cast) if any(photos in path.parents for path in car.pictures)]
    assert [car.plate for car in mine] == ["MKL4731"]
    assert len({car.plate for car in cars(cast)}) == 11


def test_manifest_outweighs_the_reader(tmp_path: Path, recognizer: Recognizer) -> None:
    copy(RENDERED / "munich-1.jpg", tmp_path / "one.jpg")
    (tmp_path / "manifest.csv").write_text("file,text\none.jpg,MKL4732\n", encoding="utf-8")
    [car] = cars_of(tmp_path, recognizer)
    assert (car.plate, car.right, [photo.read.text for photo in car.wrong]) == (
        "MKL4732",
        (),
        ["MKL4731"],
    )


def test_file_that_is_no_picture_is_passed_over(tmp_path: Path, recognizer: Recognizer) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 cut")
    copy(RENDERED / "munich-1.jpg", tmp_path / "good.jpg")
    assert [car.plate for car in cars_of(tmp_path, recognizer)] == ["MKL4731"]


def test_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="at least one picture"):
        choose_cast(tmp_path, tmp_path / "workshop")


def test_dirt_covers_a_part_of_the_plate_and_nothing_else(recognizer: Recognizer) -> None:
    photo = RENDERED / "munich-1.jpg"
    clean = recognizer.recognize(photo.read_bytes())
    dirty = next(dirty_copies(photo, recognizer))
    assert dirty != photo.read_bytes()
    seen = recognizer.recognize(dirty)
    assert seen.plates
    before, after = clean.plates[0].detection.corners, seen.plates[0].detection.corners
    assert abs(before - after).max() < 12


def test_picture_without_a_plate_gets_no_dirt(recognizer: Recognizer) -> None:
    assert list(dirty_copies(RENDERED / "no-plate.jpg", recognizer)) == []
