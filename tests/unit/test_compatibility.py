"""The compatibility page is what the spec, the routes and the tests say today."""

from scripts import compatibility

from tests.checks.schema import protocol_file


def test_the_page_is_current():
    protocol_file("openapi.assistants.json")

    assert compatibility.PAGE.read_text() == compatibility.page(), "run `make compatibility`"


def test_no_operation_is_forgotten():
    protocol_file("openapi.assistants.json")

    assert "**missing**" not in compatibility.page()
