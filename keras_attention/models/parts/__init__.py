"""Building blocks of the models: residual blocks, U-Nets, decoders, argument checks. Private."""
