"""Runs an exported date reader with TensorFlow alone: no Keras, no keras_attention, no Babel.

python examples/dates_served.py runs/transformer_dates/export "den 3. Juni 2019" "6/3/19 US"

The signature `serving_default` takes `texts` [B] and returns `dates` [B], both strings: any number of texts of any
lengths. The result is "" for an empty text, for one of more than 48 characters, and where the output is not a date;
characters that are not in the training data, and bytes that are not UTF-8, become the unknown token.
"""

import contextlib
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
NO_ANSWER = "(no date)"


@contextlib.contextmanager
def quiet():
    """Suppresses standard error, where TensorFlow logs while it loads."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def latest(directory, example="transformer_dates.py"):
    """The latest version in an export folder, as a model server chooses it.

    Raises:
        FileNotFoundError: If there is none.
    """
    numbers = [path for path in pathlib.Path(directory).glob("[0-9]*") if path.name.isdigit()]
    if not numbers:
        raise FileNotFoundError(f"No exported model in {directory} yet: run examples/{example} first.")
    return max(numbers, key=lambda path: int(path.name))


def ask(directory, texts):
    """Texts -> dates in ISO 8601, by the latest export in `directory`; "" where there is none."""
    path = latest(directory)
    with quiet():
        import tensorflow as tf

        serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    return [date.decode() for date in serve(texts=tf.constant(list(texts), "string"))["dates"].numpy()]


def main(directory, *texts):
    for text, date in zip(texts, ask(directory, texts)):
        print(f"{date or NO_ANSWER:12}  {text}")


if __name__ == "__main__":
    # TensorFlow imports Keras where it is installed. Blocked, to show that the export needs neither.
    sys.modules.update(dict.fromkeys(("keras", "keras_attention", "babel")))
    import argparse

    from runs import ended

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", help="folder of the exports")
    parser.add_argument("texts", nargs="*", help="dates to convert")
    sys.exit(ended(lambda options: main(options.export, *options.texts), parser.parse_args()))
