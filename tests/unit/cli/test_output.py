"""Tables of the command line fit the terminal, and lose nothing where a program reads them."""

from __future__ import annotations

import pytest

from webhook.cli.output import fitted, print_table

ROWS = [{"id": "0" * 32, "version": "v" * 50, "reason": "a long sentence that says why it is not there"}]


def shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str | None, whole: str = ""
) -> list[str]:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    print_table(ROWS, ("id", "version", "reason"), None, whole=whole)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("widths", "room", "fixed", "found"),
    [
        ([10, 20], 40, (), [10, 20]),
        ([10, 30], 30, (), [10, 20]),
        ([32, 60, 60], 100, (0,), [32, 34, 34]),
        ([32, 60], 20, (0,), [32, 8]),
        ([5, 60], 20, (), [5, 15]),
        ([32], 5, (0,), [32]),
        ([], 5, (), []),
    ],
)
def test_the_widest_lose_first(widths: list[int], room: int, fixed: tuple[int, ...], found: list[int]) -> None:
    assert fitted(widths, room, fixed) == found


def test_a_table_is_no_wider_than_the_terminal_and_ids_stay_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = shown(monkeypatch, capsys, "80")
    assert max(map(len, lines)) == 80
    assert lines[1].startswith("0" * 32)
    assert "…" in lines[1]


def test_a_program_gets_everything(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "…" not in shown(monkeypatch, capsys, None)[1]


def test_a_column_that_is_read_whole_is_never_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ROWS[0]["reason"] in shown(monkeypatch, capsys, "60", whole="reason")[1]
