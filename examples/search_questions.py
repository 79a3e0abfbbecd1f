"""Questions about the library, and the sections of its documentation that answer them."""

QUESTIONS = {
    "Which keys does the newest query see in a decoding step?": [
        ("docs/masks.md", "Causal masks with more keys than queries")
    ],
    "What is the shape of an ALiBi bias?": [("docs/shapes.md", "Bias by distance")],
    "Does the softmax stay in float32 under mixed precision?": [
        ("docs/masks.md", "The contract"),
        ("docs/performance.md", "Number types"),
    ],
    "How do I replace keras.layers.MultiHeadAttention?": [
        ("docs/migrating.md", "From keras.layers.MultiHeadAttention")
    ],
    "Can I load a TransformerEncoder of KerasHub?": [("docs/migrating.md", "From KerasHub")],
    "What replaces BeamSearchDecoder?": [("docs/migrating_from_tensorflow_addons.md", "tfa.seq2seq")],
    "How do I carry over weights trained with the old addons?": [
        ("docs/migrating_from_tensorflow_addons.md", "Migrating trained weights")
    ],
    "What do I need to send requests from Python without Keras?": [("docs/serving.md", "From Python without Keras")],
    "How do I start a model server with docker?": [("docs/serving.md", "TensorFlow Serving")],
    "Can a long sequence be split over devices?": [("docs/many_devices.md", "Sharded sequences")],
    "fit fails with several workers": [("docs/many_devices.md", "Several processes with TensorFlow")],
    "Does lowering for JAX work with unknown batch sizes?": [("docs/other_runtimes.md", "Unknown sizes in JAX")],
    "How do I run a model with OpenVINO?": [("docs/other_runtimes.md", "OpenVINO")],
    "How fast does the Image Transformer sample?": [("docs/benchmarks.md", "Sampling from the Image Transformer")],
    "How much faster is attention in a window?": [("docs/benchmarks.md", "Local attention")],
    "How should a test of a new layer choose its sizes?": [("docs/adding_a_layer.md", "Test against the reference")],
    "What if a paper and its code disagree?": [("docs/adding_a_layer.md", "Paper and published code")],
    "Which dates are never seen in training?": [("docs/examples/transformer_dates.md", "Held-out data")],
    "What is the FID with and without self-attention?": [
        ("docs/examples/sagan_images.md", "Two equal digits, four systems"),
        ("docs/examples/sagan_images.md", "Clothes"),
    ],
    "Can an interrupted training of the translator continue?": [
        ("docs/examples/rnn_search_translation.md", "Resuming")
    ],
    "Where do the clips with motion come from?": [("docs/examples/non_local_video.md", "Data")],
    "How do I build the documentation?": [("README.md", "Documentation")],
    "How do I run the slow tests?": [("README.md", "Run the tests")],
    "Who should use this library?": [("README.md", "Who it is for")],
}
