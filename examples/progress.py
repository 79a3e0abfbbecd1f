"""Progress bar of training."""

import sys

import keras
import tqdm


class Progress(keras.callbacks.Callback):
    """Progress bar with the losses and metrics of the last updates.

    Args:
        done: Number of updates of an earlier run.
        steps: Number of all updates.
        shown: {name of a logged value: its format}, such as {"loss": "loss {:.3f}"}.
    """

    def __init__(self, done, steps, shown):
        super().__init__()
        self.done, self.steps, self.shown, self.bar = done, steps, shown, None

    def on_train_begin(self, logs=None):
        # Fewer lines in a log file.
        pause = 0.5 if sys.stderr.isatty() else 15
        self.bar = tqdm.tqdm(
            initial=self.done, total=self.steps, unit=" updates", mininterval=pause, miniters=1, dynamic_ncols=True
        )

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(self.done + batch + 1 - self.bar.n)
        if batch % 20 == 0 and logs:
            text = ", ".join(form.format(logs[name]) for name, form in self.shown.items())
            self.bar.set_postfix_str(text, refresh=False)
        if batch % 100 == 99:
            self.model.reset_metrics()

    def on_train_end(self, logs=None):
        self.close()

    def close(self):
        """Ends the bar, also of interrupted training: it would otherwise be drawn once more, after the last message."""
        if self.bar is not None:
            self.bar.close()
