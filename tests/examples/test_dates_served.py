"""The exported reader on invalid input, with a stand-in for its model."""

import runpy
import subprocess
import sys

import dates_learning
import dates_served
import pytest
import tensorflow as tf
from dates_text import END, DateText

from keras_attention import export
from tests.export.models import table

# Texts that are no day of the calendar become "".
WRITTEN = ["2020-02-29", "2019-02-29", "1986-12-31", "2013-13-03", "2033-09-30", "33-0-20198"]


class Writer:
    """In place of a `transformer`, quickly traced: it writes one of `WRITTEN`, by the sum of the source's ids.

    A Transformer from strings to strings is exported in tests/export/test_other_runtimes.py.
    """

    def __init__(self, text):
        self.size = text.vocabulary_size
        ids, _ = text.encode(tf.constant(WRITTEN))
        self.ids = tf.pad(ids, [[0, 0], [0, 1]], constant_values=END)

    def start(self, source, max_length):
        return tf.reduce_sum(source, axis=1)

    def step(self, tokens, cache, index):
        return tf.one_hot(tf.gather(self.ids, cache % len(WRITTEN))[:, index], self.size), cache


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("dates") / "export"
    text = DateText.of(["3. juni 2019-0678 "])
    read = dates_learning.reader(Writer(text), text)
    # Without the model's own call, to save half of the tracing; tests/export exports both.
    signatures = {"serving_default": (read, dates_learning.TEXTS)}
    export.export_saved_model(table(), directory, signatures=signatures, verify=False)
    return directory


@pytest.fixture(scope="module")
def signature(directory):
    return tf.saved_model.load(str(directory / "1")).signatures["serving_default"]


@pytest.fixture(scope="module")
def serve(signature):
    return lambda texts: [date.decode() for date in signature(texts=tf.constant(texts, "string"))["dates"].numpy()]


def test_the_signature_is_strings_to_strings(signature):
    (name, spec), *others = signature.structured_input_signature[1].items()
    assert (name, spec.dtype, spec.shape.as_list(), others) == ("texts", tf.string, [None], [])
    assert {name: spec.dtype for name, spec in signature.structured_outputs.items()} == {"dates": tf.string}


def test_the_result_of_empty_and_too_long_texts_is_empty(serve):
    assert serve(["", "   ", "\u200f", "3" * 49, "3 juni " * 1000]) == [""] * 5


def test_the_result_is_a_date_or_empty_and_does_not_depend_on_the_batch(serve):
    texts = ["☃☃☃", b"\xff\xfe\x00", "3\x00juni", "日本", "\U0001f600" * 48, "3" * 48]
    texts += ["3. juni 2019", "", "6/8", "3" * 60, "2019-06-03 und dann noch mehr"]
    dates = serve(texts)
    assert set(dates) <= {"2020-02-29", "1986-12-31", "2033-09-30", ""}
    assert len(set(dates)) > 2, "a constant result tests nothing"
    assert dates[1::3] == [serve([text])[0] for text in texts[1::3]]


def test_an_empty_batch(serve):
    assert serve([]) == []


def test_the_latest_version_is_that_of_the_largest_number(tmp_path):
    for name in ("2", "10", "9", "x", ".exporting-1"):
        (tmp_path / name).mkdir()
    assert dates_served.latest(tmp_path).name == "10"


def test_no_run_yet_is_a_clear_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run examples/transformer_dates\.py first"):
        dates_served.ask(tmp_path / "nothing", ["3 juni"])


def test_the_script_runs_without_keras(directory, monkeypatch, capfd):
    """Run here as a script, which blocks the import of Keras, keras_attention and Babel."""
    for name in ("keras", "keras_attention", "babel"):
        monkeypatch.setitem(sys.modules, name, None)  # and restores it at the end
    monkeypatch.setattr(sys, "argv", [dates_served.__file__, str(directory), "3. juni 2019", ""])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(dates_served.__file__, run_name="__main__")
    assert not end.value.code
    assert_answered(*capfd.readouterr())


def assert_answered(output, errors):
    first, second = output.splitlines()
    assert first.endswith("3. juni 2019")
    assert second.strip() == "(no date)"
    assert not errors


@pytest.mark.slow
def test_a_new_process_runs_the_export_with_tensorflow_only(directory):
    """The script blocks the import of Keras, keras_attention and Babel."""
    command = [sys.executable, dates_served.__file__, str(directory), "3. juni 2019", ""]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert_answered(done.stdout, done.stderr)
