"""Under which names a run's files lie in the sandbox."""

from datetime import UTC, datetime

import pytest

from assistants_api.domain.file import File
from assistants_api.sandbox.channel import is_name
from assistants_api.tools.running_code import names_of


def a_file(id: str, filename: str) -> File:
    """A file of that name."""
    return File(id, datetime(2026, 1, 1, tzinfo=UTC), filename, "assistants", 1, "blob")


def test_files_keep_their_names_and_the_second_of_one_name_has_its_id_before_it():
    files = [a_file("file-1", "a.csv"), a_file("file-2", "b.csv"), a_file("file-3", "a.csv")]

    assert names_of(files) == ["a.csv", "b.csv", "file-3-a.csv"]


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("x" * 251 + ".csv", "x" * 251 + ".csv"),
        ("x" * 252 + ".csv", "x" * 251 + ".csv"),
        ("表" * 500 + ".xlsx", "表" * 83 + ".xlsx"),
        ("👩\u200d💻" * 100, "👩\u200d💻" * 23),
        ("." + "x" * 400, "." + "x" * 254),
        ("a." + "x" * 400, "a." + "x" * 253),
    ],
)
def test_a_long_name_loses_the_end_of_its_stem(filename: str, name: str):
    assert names_of([a_file("file-1", filename)]) == [name]
    assert is_name(name)


def test_long_names_that_become_alike_stay_apart():
    id = "file-" + "1" * 24
    files = [a_file("file-0", "表" * 100 + "1.csv"), a_file(id, "表" * 100 + "2.csv")]

    first, second = names_of(files)

    assert first == "表" * 83 + ".csv"
    assert second == f"{id}-" + "表" * 73 + ".csv"
    assert is_name(second)
