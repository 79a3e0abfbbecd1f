import pytest
import transformer_dates


def test_inference_before_the_first_run_is_a_clear_error(tmp_path, capsys):
    assert transformer_dates.main(["3 juni 2019", "--output", str(tmp_path / "runs")]) == 1
    assert "run examples/transformer_dates.py first" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--steps", "--batch", "--held-out"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        transformer_dates.parse([option, "0"])
    assert option in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_from_end_to_end(tmp_path, capfd):
    arguments = ["--steps", "6", "--batch", "8", "--held-out", "20", "--output", str(tmp_path)]
    assert transformer_dates.main(arguments) == 0
    output = capfd.readouterr().out
    for part in ("seed 0", "years", "formats", "mixtures", "all new", "TensorFlow only", "Done in"):
        assert part in output
    assert {path.name for path in tmp_path.iterdir()} == {"attention.png", "model.keras", "export"}
    assert [path.name for path in (tmp_path / "export").iterdir()] == ["1"]
    assert transformer_dates.main(["den 3. Juni 2019", "--output", str(tmp_path)]) == 0
    assert "den 3. Juni 2019" in capfd.readouterr().out
