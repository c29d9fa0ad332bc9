from sriqa_metric.cli.progress import tracked


def test_items_pass_in_order_and_nothing_is_shown_where_nobody_looks(capsys):
    assert list(tracked([3, 1, 2], "counting")) == [3, 1, 2]
    assert list(tracked((n * n for n in range(3)), "squares", 3)) == [0, 1, 4]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_the_bar_on_stderr_unless_it_is_hidden(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes stderr for a terminal
    list(tracked(range(3), "hidden", hidden=True))
    assert capsys.readouterr() == ("", "")
    list(tracked(range(3), "counting"))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "counting" in shown.err
