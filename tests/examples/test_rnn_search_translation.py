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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--units", "1"], "argument --units: must be at least 2 for RNNsearch. Received: 1"),
        (
            ["--units", "100", "--networks", "RNNsearch", "Transformer"],
            "argument --units: must be a multiple of 8 for Transformer. Received: 100",
        ),
        (["--seed", "2147483647", "--seeds", "2"], "must be at most 2**31. Received: --seed 2147483647, --seeds 2"),
        (["--seed", "4294967295"], "must be at most 2**31. Received: --seed 4294967295, --seeds 1"),
    ],
)
def test_sizes_that_no_network_takes_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        example.parse(arguments)
    assert message in capsys.readouterr().err


def test_the_largest_seed_and_other_units():
    options = example.parse(["--seed", "2147483646", "--seeds", "2", "--units", "100"])
    assert (options.seed, options.units) == (2**31 - 2, 100)


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


@pytest.fixture
def data(monkeypatch):
    """Thirty training pairs and six held-out pairs, without a download."""
    monkeypatch.setattr(fetching.Package, "fetch", lambda self, folder: None)
    monkeypatch.setattr(translation_data, "read", lambda wheel, language: list(random_pairs()))


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--batch", "31"],
            "--batch must be at most 30, the number of training pairs that are short enough. Received: 31",
        ),
        (["--sentences", "7"], "--sentences must be at most 6, the number of held-out pairs. Received: 7"),
        (["--vocabulary", "20"], "--vocabulary must be at least"),
    ],
)
def test_sizes_that_the_sentences_do_not_allow_are_refused_before_anything_is_deleted(
    arguments, message, tmp_path, capsys
):
    trained = tmp_path / "RNNsearch" / "seed-0" / "step-00000006.weights.h5"
    trained.parent.mkdir(parents=True)
    for path in (trained, tmp_path / "source.spm", tmp_path / "target.spm"):
        path.write_text("kept")
    before = files(tmp_path)
    assert example.main(["--batch", "8", *arguments, "--fresh", "--output", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err
    assert files(tmp_path) == before


@pytest.mark.usefixtures("data")
def test_subwords_of_the_run_that_is_resumed(tmp_path):
    training, _ = example.read(example.parse([]))
    options = example.parse(["--vocabulary", "40", "--output", str(tmp_path)])
    for side, subwords in zip(example.SIDES, example.choose_subwords(options, training), strict=True):
        assert subwords.vocabulary_size == 40
        subwords.save(tmp_path / f"{side}.spm")
    for more, size in ([], 40), (["--fresh"], 50):
        options = example.parse(["--vocabulary", "50", *more, "--output", str(tmp_path)])
        assert [s.vocabulary_size for s in example.choose_subwords(options, training)] == [size] * 2


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(("count", "rows"), [(None, range(6)), (6, range(6)), (4, [0, 1, 3, 4]), (1, [0])])
def test_held_out_sentences_are_as_many_as_asked_for_and_evenly_spaced(count, rows):
    _, everything = example.read(example.parse([]))
    _, held_out = example.read(example.parse([] if count is None else ["--sentences", str(count)]))
    assert len(everything) == 6 and held_out == [everything[row] for row in rows]


def test_given_networks_alone_answer_and_must_be_trained(tmp_path, capsys):
    for name in ("RNNencdec", "Transformer"):
        path = tmp_path / name / "seed-0" / "step-00000006.weights.h5"
        path.parent.mkdir(parents=True)
        path.touch()

    def answering(*arguments):
        return [*example.checkpoints(example.parse(["the lamp", "--output", str(tmp_path), *arguments]))]

    assert answering() == ["RNNencdec", "Transformer"]
    assert answering("--networks", "Transformer") == ["Transformer"]
    arguments = ["the lamp", "--output", str(tmp_path), "--networks", *example.USUAL]
    assert example.main(arguments) == 1
    assert f"No trained models of RNNsearch in {tmp_path} yet" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("data")
def test_a_run_from_end_to_end(tmp_path, capfd):
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
    assert example.main(["the lamp", "--networks", "Transformer", "--output", str(tmp_path)]) == 0
    assert capfd.readouterr().out.startswith("Transformer  the lamp -> ")
