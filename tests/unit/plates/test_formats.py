"""Plates whose format says what moves the vehicle."""

import pytest

from parking.plates.formats import is_new_energy
from parking.plates.vehicles import VEHICLE_CLASSES
from parking.tariffs.circumstances import Vehicle


@pytest.mark.parametrize(
    "plate",
    [
        "京AD12345",  # small, battery
        "京AF12345",  # small, plug-in hybrid or fuel cell
        "沪AA12345",
        "粤BK23456",
        "粤BDA2345",  # a letter in the second place
        "京A12345D",  # large
        "川A12345F",
    ],
)
def test_new_energy_plates(plate: str) -> None:
    assert is_new_energy(plate)


@pytest.mark.parametrize(
    "plate",
    [
        "京A12345",  # six characters after the province: petrol
        "京AD1234",
        "京AL12345",  # L is of no series
        "京AI12345",
        "京A123456",
        "京AD1234I",
        "京1D12345",
        "BSM1234E",  # other countries' plates say nothing here
        "WA12345D",
        "",
    ],
)
def test_other_plates(plate: str) -> None:
    assert not is_new_energy(plate)


def test_the_register_knows_the_classes_of_the_rate_tables() -> None:
    for name in VEHICLE_CLASSES:
        assert Vehicle.model_validate({"vehicle_class": name}).vehicle_class == name
