"""Which pictures of a car are shown to a lane."""

from pathlib import Path

from parking.plates.reads import PlateRead
from sesame.demo.photographs import Photo, SeenCar, agreed

PLATE = "AX417RT"


def photo(name: str, confidence: float, text: str = PLATE) -> Photo:
    return Photo(Path(name), PlateRead(text=text, confidence=confidence))


def test_sure_picture_shown_twice_is_enough() -> None:
    assert agreed([PlateRead(text=PLATE, confidence=0.95)])
    assert not agreed([PlateRead(text=PLATE, confidence=0.3)])


def test_all_pictures_are_shown_where_they_agree() -> None:
    car = SeenCar(PLATE, right=(photo("a", 0.99), photo("b", 0.95)), wrong=())
    assert car.entry == (Path("a"), Path("b"))
    assert car.is_sure


def test_unsure_picture_is_still_shown_where_there_is_no_other() -> None:
    car = SeenCar(PLATE, right=(photo("a", 0.4),), wrong=(photo("b", 0.9, "AX417RI"),))
    assert car.entry == (Path("a"),)
    assert not car.is_sure


def test_car_without_a_right_picture_is_never_sure() -> None:
    car = SeenCar(PLATE, right=(), wrong=(photo("b", 0.9, "AX417RI"),))
    assert car.entry == ()
    assert not car.is_sure
