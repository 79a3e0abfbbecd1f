import inspect

from keras_attention import training


def test_all_names_that_the_package_imports_are_public():
    imported = {name for name, thing in vars(training).items() if callable(thing) and not inspect.ismodule(thing)}
    assert set(training.__all__) == imported
    assert training.__all__ == sorted(training.__all__)
