# These need tensorflow-addons, which does not run with Keras 3, or other libraries that no test needs.
collect_ignore_glob = [
    "tensorflow_addons*.py",
    "bert.py",
    "gpt.py",
    "timm_*.py",
    "torch_*.py",
    "vision_transformer.py",
    "whisper.py",
]
