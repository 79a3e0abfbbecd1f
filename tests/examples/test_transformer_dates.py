import json
import subprocess
import sys
import types

import pytest
import transformer_dates
from dates_split import Sample


def test_inference_before_the_first_run_is_a_clear_error(tmp_path, capsys):
    assert transformer_dates.main(["3 juni 2019", "--output", str(tmp_path / "runs")]) == 1
    assert "run examples/transformer_dates.py first" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--steps", "--batch", "--held-out"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        transformer_dates.parse([option, "0"])
    assert f"argument {option}: must be a positive number" in capsys.readouterr().err


def test_every_network_has_a_folder_of_its_own():
    folders = [transformer_dates.parse(["--network", name]).output for name in transformer_dates.NETWORKS]
    assert [folder.name for folder in folders] == ["transformer_dates", "rnnsearch_dates", "rnnencdec_dates"]
    assert transformer_dates.parse([]).output == folders[0]


def test_the_command_line_does_not_import_keras():
    code = "import sys, transformer_dates; transformer_dates.parse([]); sys.exit('keras' in sys.modules)"
    folder = transformer_dates.pathlib.Path(transformer_dates.__file__).parent
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


def test_texts_without_a_date_are_counted_without_those_that_have_one(capsys):
    samples = [
        Sample(text, iso, None) for text, iso in (("a", ""), ("31.2.19", "2019-02-31"), ("25/12/19", "2019-12-25"))
    ]
    transformer_dates.show_absent(samples)
    output = capsys.readouterr().out
    assert output.startswith("2 texts without a date") and "and 1 dates that have one reading" in output
    assert output.splitlines()[-1] == "    2019-12-25  25/12/19"


def test_the_number_of_held_out_texts_is_recorded(tmp_path):
    options = transformer_dates.parse(["--held-out", "20", "--output", str(tmp_path)])
    model = types.SimpleNamespace(count_params=lambda: 7)
    transformer_dates.record(options, model, [], {})
    assert json.loads((tmp_path / "results.json").read_text())["held_out"] == 20


@pytest.mark.slow
@pytest.mark.parametrize("network", transformer_dates.NETWORKS)
def test_a_run_from_end_to_end(network, tmp_path, capfd):
    chosen = ["--network", network, "--output", str(tmp_path)]
    assert transformer_dates.main(["--steps", "6", "--batch", "8", "--held-out", "20", *chosen]) == 0
    output = capfd.readouterr().out
    for part in (network, "seed 0", "years", "formats", "mixtures", "all new", "TensorFlow only", "Done in"):
        assert part in output
    files = {"model.keras", "results.json", "export"} | ({"attention.png"} if network != "RNNencdec" else set())
    assert {path.name for path in tmp_path.iterdir()} == files
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["network"], results["steps"], results["seed"]) == (network, 6, 0)
    assert sum(texts for _, texts in results["by length"].values()) == 80
    assert [path.name for path in (tmp_path / "export").iterdir()] == ["1"]
    assert transformer_dates.main(["den 3. Juni 2019", *chosen]) == 0
    assert "den 3. Juni 2019" in capfd.readouterr().out
