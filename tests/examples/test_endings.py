"""The examples as scripts with faults of the user's machine or input: one line on stderr, and a status not 0."""

import pathlib
import signal
import subprocess
import sys
import time

import keras
import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
TEXTS = {path.stem: path.read_text() for path in EXAMPLES.glob("*.py")}
# Those with an argument --output.
NAMES = sorted(
    name
    for name, text in TEXTS.items()
    if "def main(" in text and ("parser.folders(" in text or '("--output", ' in text)
)
ASKING = {
    "transformer_dates": [],
    "rnn_search_translation": [],
    "sentence_search": [],
    "whisper_speech": ["--text"],
}
REQUIRED = {"dates_compared": ["runs"]}  # arguments without which it asks for them
# Random images in place of Fashion-MNIST.
IMAGES = """
import numpy as np, fashion_data
rng = np.random.default_rng(0)
images, labels = rng.integers(0, 256, (90, 28, 28)).astype("uint8"), (np.arange(90) % 10).astype("int32")
fashion_data.load = lambda folder: ((images, labels), (images[:30], labels[:30]))
"""


def command(name, *arguments, before=""):
    """Of a script, after the lines `before`."""
    lines = f"import sys; sys.path.insert(0, {str(EXAMPLES)!r})\n{before}\nimport {name}\nsys.exit({name}.main())"
    return [sys.executable, *(["-c", lines] if before else [EXAMPLES / f"{name}.py"]), *arguments]


def script(*arguments, **kwargs):
    done = subprocess.run(command(*arguments, **kwargs), capture_output=True, check=False, timeout=300)
    return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace").strip()


@pytest.mark.parametrize("name", NAMES)
def test_an_output_that_is_a_file_is_one_line_before_the_run(name, tmp_path):
    file = tmp_path / "results"
    file.write_text("mine")
    for output, reason in ((file, "it is a file"), (file / "inside", "Not a directory")):
        status, printed, error = script(name, "--output", output, *REQUIRED.get(name, []))
        assert (status, printed, error) == (1, "", f"--output {output} cannot be written: {reason}")
        if name != NAMES[0]:
            break
    assert file.read_text() == "mine"


def test_all_examples_are_tried():
    assert len(NAMES) == 15 and set(ASKING) < set(NAMES)


@pytest.mark.parametrize("name", ASKING)
def test_an_argument_that_is_not_utf8_is_one_line(name, tmp_path):
    status, printed, error = script(name, "--output", tmp_path, *ASKING[name], b"caf\xe9 le 3 juin 2019")
    assert (status, printed) == (1, "")
    assert error.endswith(r"must be UTF-8. Received: b'caf\xe9 le 3 juin 2019'") and "\n" not in error


@pytest.mark.parametrize("name", ["transformer_dates", "sagan_images"])
def test_a_full_disk_is_one_line_before_the_run(name, tmp_path):
    full = "import shutil; shutil.disk_usage = lambda path: shutil._ntuple_diskusage(9, 9, 7_000_000)"
    status, printed, error = script(name, "--output", tmp_path, before=full)
    assert (status, printed) == (1, "")
    assert "MB, and its disk has 7 MB left" in error and "\n" not in error


def test_a_missing_package_is_one_line_with_the_command_that_installs_it(tmp_path):
    missing = 'import sys; sys.modules["babel"] = None'
    status, _, error = script("transformer_dates", "--output", tmp_path, before=missing)
    assert status == 1 and "\n" not in error
    assert "babel" in error and sys.executable in error and error.endswith(f"install -e '{EXAMPLES.parent}[examples]'")


def test_ctrl_c_is_one_line_that_names_what_is_saved(tmp_path):
    (tmp_path / "RNNsearch").mkdir()
    early = "import runs\ndef interrupt(*_): raise KeyboardInterrupt\nruns.heading = interrupt"
    status, printed, error = script("rnn_search_translation", "--output", tmp_path, before=early)
    assert (status, printed) == (130, "")
    expected = f"Interrupted. Saved in {tmp_path}: RNNsearch. The same command resumes from its last checkpoint."
    assert error == expected


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the examples run on TensorFlow")
def test_ctrl_c_in_training_leaves_checkpoints_from_which_the_same_command_reaches_the_same_results(tmp_path):
    small = ["--steps", "390", "--seeds", "1", "--width", "2", "--batch", "8"]
    arguments = ("attention_resnet_images", *small, "--output")
    run = subprocess.Popen(
        command(*arguments, tmp_path / "a", before=IMAGES), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    began = time.monotonic()
    # Of the second network, before its last update; Ctrl-C comes between checkpoints.
    while not list((tmp_path / "a").glob("SE/*/step-00000200.weights.h5")) and time.monotonic() < began + 200:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, error = run.communicate(timeout=100)
    assert run.returncode == 130
    assert error.decode().strip().splitlines()[-1].startswith(f"Interrupted. Saved in {tmp_path / 'a'}: SE, none")
    status, printed, _ = script(*arguments, tmp_path / "a", before=IMAGES)
    assert status == 0 and "resumed after update 200" in printed
    assert script(*arguments, tmp_path / "b", before=IMAGES)[0] == 0
    results = [(tmp_path / name / "results.json").read_text() for name in "ab"]
    assert results[0] == results[1]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.3, 1, 2, 4, 8])
def test_ctrl_c_at_any_time_while_an_example_starts(seconds, tmp_path):
    run = subprocess.Popen(
        command("transformer_dates", "--output", tmp_path / "a"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    time.sleep(seconds)
    run.send_signal(signal.SIGINT)
    _, error = run.communicate(timeout=100)
    assert run.returncode == 130
    assert error.decode().strip().splitlines()[-1].startswith("Interrupted.")
    assert "Traceback" not in error.decode()
