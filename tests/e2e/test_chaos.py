"""A short storm of `benchmarks/chaos`: whatever is killed, what was promised holds."""

import pytest
from benchmarks.chaos import storm

from tests.e2e.topology import needs_postgres


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_nothing_that_was_promised_is_broken(tmp_path, database):
    if database == "postgresql":
        needs_postgres()

    report = storm(tmp_path, kills=6, seed=7, database=database, clients=3)

    assert report.violations == []
    assert sum(report.kills.values()) == 6
    assert report.cuts > 0
    assert report.runs["completed"] >= 3
