"""How pages say things."""

from __future__ import annotations

import pytest

from webhook.dashboard import formatting


def test_a_whole_body_is_shown_a_line_for_each_value() -> None:
    assert formatting.indented('{"version":"v1","projects":["app"]}') == (
        '{\n  "version": "v1",\n  "projects": [\n    "app"\n  ]\n}'
    )


@pytest.mark.parametrize(
    "body", ['{"version":"v1","proj', "<html>", "", '{"a":"\\ud800"}', "[" * 5_000, '{"a":' + "9" * 5_000 + "}"]
)
def test_any_other_body_is_shown_as_it_is(body: str) -> None:
    assert formatting.indented(body) == body
