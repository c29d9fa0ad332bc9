from sriqa_metric.calibrate.data.vote_files import TIDY_COLUMNS, read_votes
from sriqa_metric.calibrate.data.votes import image_pairs


def test_image_pairs_sum_over_observers_and_keep_the_order_of_the_file(tmp_path):
    lines = ["a,late,B,A,a", "a,early,A,B,a", "b,late,A,B,a", "c,late,B,A,tie", "a,late,A,C,b"]
    path = tmp_path / "votes.csv"
    path.write_text("\n".join([",".join(TIDY_COLUMNS), *lines]), encoding="utf-8")
    pairs = image_pairs(read_votes(path))
    assert pairs.first.tolist() == [0, 0, 0]
    assert pairs.second.tolist() == [1, 1, 2]
    assert pairs.wins.tolist() == [1.5, 1, 0]
    assert pairs.total.tolist() == [3, 1, 1]
    assert pairs.position.tolist() == [0, 1, 0]
