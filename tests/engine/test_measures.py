"""Histograms count every value once, and tell quantiles within their buckets."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from assistants_api.engine.measures import SECONDS, Measure

VALUES = st.lists(st.floats(0, 60), min_size=1)


@given(values=VALUES, share=st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    measure = Measure()
    for value in values:
        measure.note(value)

    wanted = sorted(values)[min(len(values) - 1, max(0, -int(-share * len(values) // 1) - 1))]
    told = measure.quantile(share)

    place = bisect_left(SECONDS, wanted)
    low = SECONDS[place - 1] if place else 0.0
    assert low <= told <= SECONDS[place]


@given(values=VALUES)
def test_buckets_add_up(values: list[float]) -> None:
    measure = Measure()
    for value in values:
        measure.note(value)

    told = measure.told()
    assert told["count"] == len(values)
    assert abs(told["sum"] - sum(values)) < 1e-3
    assert [count for _, count in told["buckets"]] == [sum(v <= bound for v in values) for bound in SECONDS]


def test_nothing_and_too_much_are_told_too() -> None:
    measure = Measure()
    assert (measure.quantile(0.5), measure.told()["count"]) == (0.0, 0)

    measure.note(1000.0, times=3)
    assert measure.quantile(0.5) == SECONDS[-1]
    assert measure.told()["buckets"][-1] == (SECONDS[-1], 0)
