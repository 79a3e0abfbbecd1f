# These need tensorflow-addons, which no environment of this library has.
collect_ignore_glob = ["tensorflow_addons*.py"]
