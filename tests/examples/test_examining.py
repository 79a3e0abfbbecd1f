import json

import keras
import numpy as np
import pytest
from examining import Examination
from runs import recorded

from tests.examples.test_resuming import At, interrupt, model, train


def examination(path, every=3, steps=8):
    return Examination(
        lambda model: {"norm": float(np.abs(model.get_weights()[0]).sum())}, path / "found.json", every, steps
    )


def test_a_model_is_examined_at_first_each_few_updates_and_at_last(tmp_path, eager):
    examined = examination(tmp_path)
    _, trained = train(tmp_path / "run", callbacks=[examined])
    found = recorded(tmp_path / "found.json")
    assert list(found) == [0, 3, 6, 8]
    assert found[0] == examined.examine(model()) and found[8] == examined.examine(trained)
    assert len({results["norm"] for results in found.values()}) == 4


@pytest.mark.parametrize("update", [2, 4, 7])
def test_a_run_that_resumes_has_the_results_of_an_uninterrupted_one(update, tmp_path, eager):
    train(tmp_path / "whole", callbacks=[examination(tmp_path)])
    whole = recorded(tmp_path / "found.json")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", callbacks=[examination(tmp_path), At(update, interrupt)])
    # As of a run that was cut off after an examination, before its checkpoint: the results are dropped.
    (tmp_path / "found.json").write_text(json.dumps(recorded(tmp_path / "found.json") | {9: {"norm": 0}}))
    train(tmp_path / "run", callbacks=[examination(tmp_path)])
    assert recorded(tmp_path / "found.json") == whole


class Killed(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 6:
            raise KeyboardInterrupt


def test_where_there_is_a_checkpoint_there_are_its_results(tmp_path, eager):
    """A run that is killed during an examination examines again."""
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", callbacks=[Killed(), examination(tmp_path)])
    assert list(recorded(tmp_path / "found.json")) == [0, 3]
    assert train(tmp_path / "run", callbacks=[examination(tmp_path)])[0] == 3
    assert list(recorded(tmp_path / "found.json")) == [0, 3, 6, 8]
