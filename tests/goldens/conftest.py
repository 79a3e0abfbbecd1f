# These need tensorflow-addons, which does not run with Keras 3, or timm and PyTorch.
collect_ignore_glob = ["tensorflow_addons*.py", "timm_*.py", "torch_*.py"]
