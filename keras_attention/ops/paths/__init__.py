"""How a softmax over many keys is computed: dense, fused, blockwise. It depends on devices, not on papers."""
