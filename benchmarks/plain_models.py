"""The networks of `training_steps.py` in layers of Keras and KerasHub, as written without this library.

Sizes, masks and numbers of parameters are those of `keras_attention.models`, except for biases of the attention, which
KerasHub has. Keras's `SpectralNormalization` overwrites the kernel instead of dividing it, and `ops.image.resize` does
not align corners.
"""

import keras
from keras import layers, ops

EPSILON = 1e-5


def keras_hub_transformer(vocabulary, width=512, heads=8, hidden=2048, blocks=6, dropout=0.1):
    """`models.transformer_base` in layers of KerasHub, whose attention has biases."""
    from keras_hub.layers import ReversibleEmbedding, SinePositionEncoding, TransformerDecoder, TransformerEncoder

    source, target = (keras.Input((None,), dtype="int32", name=name) for name in ("source", "target"))
    mask = ops.not_equal(source, 0)
    table = ReversibleEmbedding(vocabulary, width)
    memory, x = (_positioned(table(tokens), SinePositionEncoding(), width, dropout) for tokens in (source, target))
    for _ in range(blocks):
        memory = TransformerEncoder(hidden, heads, dropout)(memory, padding_mask=mask)
    for _ in range(blocks):
        x = TransformerDecoder(hidden, heads, dropout)(x, memory, encoder_padding_mask=mask)
    return keras.Model({"source": source, "target": target}, table(x, reverse=True))


def _positioned(x, encoding, width, dropout):
    x = x * width**0.5
    return layers.Dropout(dropout)(x + encoding(x))


class SearchingDecoder(layers.Layer):
    """Bahdanau attention and a GRU cell, in a Python loop over the target."""

    def __init__(self, units, attention_units):
        super().__init__()
        self.cell = layers.GRUCell(units, use_bias=False, reset_after=False)
        self.query, self.key = (layers.Dense(attention_units, use_bias=False) for _ in range(2))
        self.score = layers.Dense(1, use_bias=False)

    def call(self, x, memory, mask, state):
        keys, outputs = self.key(memory), []
        for t in range(x.shape[1]):
            logits = self.score(ops.tanh(self.query(state)[:, None] + keys))[..., 0]
            probs = ops.softmax(ops.where(mask, logits, -1e9))
            context = ops.einsum("bs,bsd->bd", probs, memory)
            outputs.append(ops.concatenate([state, context], axis=-1))
            state, _ = self.cell(ops.concatenate([x[:, t], context], axis=-1), [state])
        return ops.stack(outputs, axis=1)


def rnn_search(vocabulary, length, embedding_dim, units, attention_units, maxout_units):
    """`models.rnn_search`, for targets of one length."""
    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((length,), dtype="int32", name="target")
    mask = ops.not_equal(source, 0)
    words = layers.Embedding(vocabulary, embedding_dim)(source)
    gru = {"use_bias": False, "reset_after": False, "return_sequences": True, "return_state": True}
    forward, _ = layers.GRU(units, **gru)(words, mask=mask)
    backward, first = layers.GRU(units, go_backwards=True, **gru)(words, mask=mask)
    memory = ops.concatenate([forward, ops.flip(backward, axis=1)], axis=-1)
    state = layers.Dense(units, "tanh", use_bias=False)(first)
    x = layers.Embedding(vocabulary, embedding_dim)(target)
    x = ops.concatenate([ops.zeros_like(x[:, :1]), x[:, 1:]], axis=1)
    output = SearchingDecoder(units, attention_units)(x, memory, mask, state)
    t = layers.Dense(2 * maxout_units, use_bias=False)(ops.concatenate([output, x], axis=-1))
    t = ops.max(ops.reshape(t, (-1, length, maxout_units, 2)), axis=-1)
    logits = layers.Dense(vocabulary, use_bias=False)(t)
    return keras.Model({"source": source, "target": target}, logits)


def normalized(layer):
    """With spectral normalization."""
    return layers.SpectralNormalization(layer)


class SelfAttention(layers.Layer):
    """The self-attention of SAGAN's published code, with the whole map of scores."""

    def build(self, shape):
        C = shape[-1]
        sizes = {"query": C // 8, "key": C // 8, "value": C // 2, "out": C}
        self.convs = {k: normalized(layers.Conv2D(n, 1, use_bias=False)) for k, n in sizes.items()}
        self.pool = layers.MaxPooling2D(2)
        self.gamma = self.add_weight(shape=(), initializer="zeros")

    def call(self, x, training=None):
        query = self.convs["query"](x, training=training)
        key, value = (self.pool(self.convs[name](x, training=training)) for name in ("key", "value"))
        query, key, value = (ops.reshape(t, (-1, t.shape[1] * t.shape[2], t.shape[3])) for t in (query, key, value))
        context = ops.matmul(ops.softmax(ops.matmul(query, ops.transpose(key, (0, 2, 1)))), value)
        context = ops.reshape(context, (-1, *x.shape[1:3], value.shape[-1]))
        return x + self.gamma * self.convs["out"](context, training=training)


def sagan_generator(size, classes, width, attention_at, noise_dim=128):
    noise, label = keras.Input((noise_dim,), name="noise"), keras.Input((), dtype="int32", name="label")

    def norm(x):
        n = x.shape[-1]
        y = layers.BatchNormalization(center=False, scale=False, epsilon=EPSILON)(x)
        gamma, beta = (layers.Embedding(classes, n, initializer)(label) for initializer in ("ones", "zeros"))
        return layers.ReLU()(y * ops.reshape(gamma, (-1, 1, 1, n)) + ops.reshape(beta, (-1, 1, 1, n)))

    def conv(x, filters, kernel_size=3):
        return normalized(layers.Conv2D(filters, kernel_size, padding="same"))(x)

    filters = [width * min(16, size // 8 // 2**k) for k in range((size // 4).bit_length() - 1)]
    x = normalized(layers.Dense(16 * filters[0]))(noise)
    x = layers.Reshape((4, 4, filters[0]))(x)
    for n in filters:
        y = conv(layers.UpSampling2D()(norm(x)), n)
        x = layers.UpSampling2D()(conv(x, n, 1)) + conv(norm(y), n)
        x = SelfAttention()(x) if x.shape[1] == attention_at else x
    x = layers.ReLU()(layers.BatchNormalization(epsilon=EPSILON)(x))
    return keras.Model({"noise": noise, "label": label}, ops.tanh(conv(x, 3)))


def sagan_discriminator(size, classes, width, attention_at):
    image, label = keras.Input((size, size, 3), name="image"), keras.Input((), dtype="int32", name="label")

    def conv(x, filters, kernel_size=3):
        return normalized(layers.Conv2D(filters, kernel_size, padding="same"))(x)

    filters = [width * min(16, 2**k) for k in range((size // 4).bit_length() - 1)]
    x, relu, pool = image, layers.ReLU(), layers.AveragePooling2D(2)
    for k, n in enumerate(filters):
        y = pool(conv(relu(conv(relu(x) if k else x, n)), n))
        x = conv(pool(x), n, 1) + y
        x = SelfAttention()(x) if x.shape[1] == attention_at else x
    x = x + conv(relu(conv(relu(x), n)), n)
    h = ops.sum(relu(x), axis=(1, 2))
    vectors = normalized(layers.Embedding(classes, n))(label)
    logits = normalized(layers.Dense(1))(h) + ops.sum(h * vectors, axis=-1, keepdims=True)
    return keras.Model({"image": image, "label": label}, {"logits": logits})


def batch_norm():
    return layers.BatchNormalization(momentum=0.9, epsilon=EPSILON)


def u_net(channels, width, downs, dropout=0.5):
    """The layers of a U-Net; returns a function of an image, which shares them between its calls."""
    filters = [width * min(2**k, 8) for k in range(downs)]
    conv = [layers.Conv2D(n, 4, 2, "same", use_bias=False) for n in filters]
    conv_norms = [batch_norm() if 0 < k < downs - 1 else None for k in range(downs)]
    ups = [layers.Conv2DTranspose(filters[k - 1], 4, 2, "same", use_bias=False) for k in range(downs - 1, 0, -1)]
    up_norms = [batch_norm() for _ in ups]
    drops = [layers.Dropout(dropout) if 4 <= k < downs - 1 else None for k in range(downs - 1, 0, -1)]
    paint, leaky, relu = layers.Conv2DTranspose(channels, 4, 2, "same"), layers.LeakyReLU(0.2), layers.ReLU()

    def run(x):
        skips = []
        for k in range(downs):
            x = conv[k](leaky(x) if k else x)
            x = x if conv_norms[k] is None else conv_norms[k](x)
            skips.append(x)
        skips.pop()
        for up, norm, drop in zip(ups, up_norms, drops):
            x = norm(up(relu(x)))
            x = ops.concatenate([skips.pop(), x if drop is None else drop(x)], axis=-1)
        features = relu(x)
        return ops.tanh(paint(features)), features

    return run


def selection_gan_generator(size, width, semantics_width=4, channels=110, candidates=10, pools=(4, 9), downs=5):
    source, semantics = (keras.Input((size, size, 3), name=name) for name in ("source", "semantics"))
    paint, read = u_net(3, width, downs), u_net(3, semantics_width, downs)
    first_image, features = paint(ops.concatenate([source, semantics], axis=-1))
    first_semantics, of_semantics = read(first_image)
    x = ops.concatenate([features, of_semantics], axis=-1)
    x = layers.ReLU()(layers.Dropout(0.5)(layers.Conv2DTranspose(channels - 6, 2, 2, "same")(x)))
    x = ops.concatenate([x, source, first_image], axis=-1)
    scaled = [x * ops.image.resize(layers.AveragePooling2D(p)(x), (size, size)) for p in pools]
    x = layers.Conv2D(channels, 3, padding="same")(ops.concatenate([x * x, *scaled, x], axis=-1))
    images = layers.Conv2D(3 * candidates, 3, padding="same", activation="tanh")(x)
    attention = layers.Dense(candidates, "softmax")(x)
    images = ops.reshape(images, (-1, size, size, candidates, 3))
    image = ops.sum(attention[..., None] * images, axis=-2)
    outputs = {"first_image": first_image, "first_semantics": first_semantics, "image": image}
    outputs |= {"semantics": read(image)[0], "uncertainty": layers.Dense(1, "sigmoid")(attention)}
    return keras.Model({"source": source, "semantics": semantics}, outputs)


def patch_discriminator(size, width):
    source, image = (keras.Input((size, size, 3), name=name) for name in ("source", "image"))
    x = ops.concatenate([source, image], axis=-1)
    for k, n in enumerate([width, 2 * width, 4 * width, 8 * width]):
        x = layers.Conv2D(n, 4, 1 + (k < 3), use_bias=k == 0)(layers.ZeroPadding2D()(x))
        x = layers.LeakyReLU(0.2)(batch_norm()(x) if k else x)
    logits = layers.Conv2D(1, 4)(layers.ZeroPadding2D()(x))
    return keras.Model({"source": source, "image": image}, {"logits": logits})


def squeeze_excitation(x, ratio=16):
    C = x.shape[-1]
    z = layers.GlobalAveragePooling2D(keepdims=True)(x)
    z = layers.Dense(C // ratio, "relu", use_bias=False)(z)
    return x * layers.Dense(C, "sigmoid", use_bias=False)(z)


def cbam(x, ratio=16):
    C = x.shape[-1]
    reduce, expand = layers.Dense(C // ratio, "relu", use_bias=False), layers.Dense(C, use_bias=False)
    pools = layers.GlobalAveragePooling2D(keepdims=True)(x), layers.GlobalMaxPooling2D(keepdims=True)(x)
    x = x * ops.sigmoid(sum(expand(reduce(pool)) for pool in pools))
    pools = ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=-1, keepdims=True)
    gates = layers.Conv2D(1, 7, padding="same", use_bias=False)(ops.concatenate(pools, axis=-1))
    return x * ops.sigmoid(gates)


def resnet50(attention, classes=1000):
    """`models.attention_resnet(50, ...)`; `attention` is a function, applied to each residual branch."""
    image = keras.Input((None, None, 3))

    def conv_norm(x, filters, kernel_size, strides=1, activate=True):
        if strides > 1 and kernel_size > 1:
            x = layers.ZeroPadding2D(kernel_size // 2)(x)
        padding = "same" if strides == 1 else "valid"
        x = batch_norm()(layers.Conv2D(filters, kernel_size, strides, padding, use_bias=False)(x))
        return layers.ReLU()(x) if activate else x

    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(conv_norm(image, 64, 7, 2)))
    for stage, number in enumerate((3, 4, 6, 3)):
        for block in range(number):
            n, strides = 64 * 2**stage, 2 if stage and not block else 1
            y = conv_norm(conv_norm(x, n, 1), n, 3, strides)
            y = attention(conv_norm(y, 4 * n, 1, activate=False))
            x = x if block else conv_norm(x, 4 * n, 1, strides, activate=False)
            x = layers.ReLU()(x + y)
    return keras.Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))
