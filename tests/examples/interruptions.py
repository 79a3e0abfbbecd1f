"""Simulates a killed run: copies its folder in the middle of the run, which then continues."""

import shutil

import keras


class CopyAfter(keras.callbacks.Callback):
    """Copies the folder of a run after this many updates."""

    def __init__(self, updates, folder, copy):
        super().__init__()
        self.left, self.folder, self.copy = updates, folder, copy

    def on_train_batch_begin(self, batch, logs=None):
        if self.left == 0:
            shutil.copytree(self.folder, self.copy)
        self.left -= 1
