"""What depends on how a function runs: compiled or not, on one device or on several replicas."""
