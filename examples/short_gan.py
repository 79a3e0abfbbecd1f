"""SAGAN step by step: a generator and a discriminator with self-attention, trained with `compile` and `fit`.

Two hundred updates on Fashion-MNIST give blurred clothes, no more; `sagan_images.py` trains for longer and compares.
About a minute and a half on two cores.
"""

import fashion_data
import keras
import numpy as np

from keras_attention import metrics, models, training, visualize

# Images in 32 x 32 x 3 from -1 to 1.
(images, labels), _ = fashion_data.load()
images = np.pad(images[:6_400], ((0, 0), (2, 2), (2, 2))) / np.float32(127.5) - 1
images, labels = np.repeat(images[..., None], 3, axis=-1), labels[:6_400].astype("int32")

# The networks; `attention_at=16` puts `SelfAttention2D` where the images have 16 x 16 positions.
keras.utils.set_random_seed(0)
generator, discriminator = models.sagan(
    image_size=32, num_classes=10, channels=8, attention_at=16, generator={"noise_dim": 64, "norm_momentum": (0.9, 0.9)}
)
model = training.AdversarialModel(generator, discriminator, training.NoiseToImage(64, 10), average_decay=0.98, seed=0)

# Images of the untrained average are the baseline.
noise = {"noise": np.random.default_rng(0).standard_normal((500, 64)).astype("float32")}
noise["label"] = np.arange(500, dtype="int32") % 10


def distance(generated):
    """Frechet distance of the means of 4 x 4 pixels of 500 images: a number for this script, no published FID."""
    coarse = [x[..., :1].reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(-1, 64) for x in (images[-500:], generated)]
    measure = metrics.FrechetDistance(extractor=None)
    measure.update_real(coarse[0])
    measure.update_generated(coarse[1])
    return float(measure.result())


before = distance(model.average.predict(noise, verbose=0))
# Ten times the paper's rate of the generator: the training is short.
model.compile(*(keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.9) for _ in range(2)))
model.fit(images, labels, batch_size=32, epochs=1, verbose=2)
generated = model.average.predict(noise, verbose=0)
after, least = distance(generated), distance(images[:500])
print(f"distance to images: {before:.2f} untrained, {after:.2f} trained, {least:.2f} images")

# Two images of each class.
figure = visualize.image_grid(generated[:20].reshape(2, 10, 32, 32, 3), value_range=(-1, 1))
figure.savefig("short_gan.png")
