import progress


class Model:
    resets = 0

    def reset_metrics(self):
        self.resets += 1


def test_the_bar_starts_where_an_earlier_run_stopped_and_shows_the_last_metrics(capfd):
    bar = progress.Progress(50, 250, {"loss": "loss {:.3f}", "accuracy": "accuracy {:.1%}"})
    bar.set_model(Model())
    bar.on_train_begin()
    for batch in range(200):
        bar.on_train_batch_end(batch, {"loss": 1 / (batch + 1), "accuracy": batch / 200})
    assert bar.bar.n == 250
    bar.on_train_end()
    assert "250/250" in capfd.readouterr().err
    assert bar.bar.postfix == "loss 0.006, accuracy 90.0%"  # of update 180
    assert bar.model.resets == 2
