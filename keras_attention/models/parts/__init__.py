"""What the networks are built from: their blocks, decoders and argument checks. No public model."""
