# These need tensorflow-addons, which does not run with Keras 3.
collect_ignore_glob = ["tensorflow_addons*.py", "bert.py", "gpt.py"]
