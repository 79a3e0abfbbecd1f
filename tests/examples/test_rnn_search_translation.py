import json

import fetching
import pytest
import rnn_search_translation as example
import translation_data
from translation_data import Pair


def test_inference_before_the_first_run_is_a_clear_error(tmp_path, capsys):
    assert example.main(["the lamp", "--output", str(tmp_path / "runs")]) == 1
    assert "run examples/rnn_search_translation.py first" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", ["--steps", "--batch", "--units", "--vocabulary", "--beam", "--sentences", "--seeds"]
)
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert f"argument {option}: must be a positive number" in capsys.readouterr().err


def test_each_pair_of_languages_has_its_folder():
    assert example.parse(["--pair", "en-fr"]).output.parts[-2:] == ("rnn_search_translation", "en-fr")


def test_unavailable_data_is_a_clear_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(fetching.DOWNLOADS, "PyPI", lambda *given: "no index")
    assert example.main(["--output", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 1
    assert "could not be fetched: no index" in capsys.readouterr().err


def random_pairs():
    things = {
        "lamp": "lámpara",
        "door": "puerta",
        "window": "ventana",
        "clock": "hora",
        "key": "llave",
        "wall": "pared",
    }
    for g, (a, b) in enumerate(things.items()):
        for i, (c, d) in enumerate(things.items()):
            more, mas = " and it is not far away at all" * (i % 3), " y no está nada lejos" * (i % 3)
            yield Pair(f"g{g}", f"the {a} is near the {c}{more}", f"la {b} está cerca de la {d}{mas}")


@pytest.mark.slow
def test_a_run_from_end_to_end(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(fetching.Package, "fetch", lambda self, folder: None)
    monkeypatch.setattr(translation_data, "read", lambda wheel, language: list(random_pairs()))
    sizes = ["--steps", "6", "--batch", "8", "--units", "8", "--vocabulary", "50", "--output", str(tmp_path)]
    assert example.main(sizes) == 0
    output = capfd.readouterr().out
    for part in ("seed 0", "RNNsearch", "RNNencdec", "BLEU by length", "tok:13a", "Done in"):
        assert part in output
    found = {path.name for path in tmp_path.iterdir()}
    kept = {"settings.json", "results.json", "bleu_by_length.png", "source.spm", "target.spm", "RNNsearch", "RNNencdec"}
    assert kept <= found
    assert not [name for name in found - kept if not name.startswith("alignment-")]
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["bleu_by_length"]) == set(example.USUAL)
    assert sum(results["sentences"]) == 6 and "nrefs:1" in results["signature"]
    assert example.main(sizes) == 0
    assert "after update 6 of an earlier run" in capfd.readouterr().out
    more = ["RNNsearch", "Luong, local-p", "Transformer"]
    assert example.main([*sizes, "--networks", *more, "--seeds", "2"]) == 0
    output = capfd.readouterr().out
    assert output.count("after update 6 of an earlier run") == 1 and "of the mean over seeds" in output
    again = json.loads((tmp_path / "results.json").read_text())
    assert list(again["bleu"]) == more and (tmp_path / "Luong-local-p" / "seed-1").is_dir()
    assert example.main(["the lamp", "--output", str(tmp_path)]) == 0
    asked = capfd.readouterr().out
    for name in (*more, "RNNencdec"):
        assert f"{name:15} the lamp ->" in asked
