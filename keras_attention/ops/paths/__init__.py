"""How a softmax over many keys is computed: dense, fused, blockwise. Changes with devices, not with papers."""
