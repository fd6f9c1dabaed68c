"""A plate that is read while others pass is a parked car's, and no longer the lane's."""

from uuid import UUID

from gate_bridge import standing_cars
from gate_bridge.standing_cars import StandingCars

LANE, OTHER = UUID(int=1), UUID(int=2)


def pass_by(cars: StandingCars, number: int, now_s: float, *, read: str = "PARKED") -> bool:
    """Let a car pass while another plate is read; returns whether that one is known to stand."""
    presentation = UUID(int=number)
    cars.saw(LANE, presentation, f"CAR{number}", now_s)
    known = cars.saw(LANE, presentation, read, now_s)
    cars.decided(LANE, presentation, f"CAR{number}", now_s)
    return known


def test_a_plate_that_three_cars_passed_over_two_minutes_is_a_parked_car() -> None:
    cars = StandingCars()
    assert [pass_by(cars, number, 50.0 * number) for number in range(1, 4)] == [False] * 3
    assert not cars.saw(LANE, UUID(int=9), "PARKED", 169.9)
    assert cars.saw(LANE, UUID(int=9), "PARKED", 170.0)
    assert not cars.saw(OTHER, UUID(int=10), "PARKED", 170.0)
    assert not cars.saw(LANE, UUID(int=9), "CAR2", 170.0)


def test_a_queue_is_not_parked() -> None:
    cars = StandingCars()
    assert not pass_by(cars, 1, 0.0, read="CAR3")
    assert not pass_by(cars, 2, 100.0, read="CAR3")
    assert not cars.saw(LANE, UUID(int=3), "CAR3", 500.0)
    cars.decided(LANE, UUID(int=3), "CAR3", 500.0)
    assert not cars.saw(LANE, UUID(int=4), "CAR3", 900.0)


def test_a_car_that_tries_again_and_again_is_not_passed_over() -> None:
    cars = StandingCars()
    for number in range(1, 10):
        assert not cars.saw(LANE, UUID(int=number), "AGAIN", 100.0 * number)


def test_a_car_that_was_not_seen_for_long_is_forgotten() -> None:
    cars = StandingCars()
    for number in range(1, 4):
        pass_by(cars, number, 100.0 * number)
    assert cars.saw(LANE, UUID(int=9), "PARKED", 2100.0)
    assert not cars.saw(LANE, UUID(int=10), "PARKED", 3900.1)


def test_what_is_remembered_is_bounded() -> None:
    cars = StandingCars()
    for number in range(1, 200):
        pass_by(cars, number, 1.0, read=f"READ{number}")
    lane = cars._lanes[LANE]  # pyright: ignore[reportPrivateUsage]
    assert len(lane.known) == standing_cars.PLATES_PER_LANE_MAX
    for number in range(standing_cars.LANES_MAX + 5):
        cars.saw(UUID(int=number), UUID(int=1), "A", 1.0)
    assert len(cars._lanes) == standing_cars.LANES_MAX  # pyright: ignore[reportPrivateUsage]
