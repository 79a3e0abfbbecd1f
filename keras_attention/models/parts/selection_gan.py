"""Networks of SelectionGAN: U-Nets, the second stage, the PatchGAN discriminator.

Plain classes, not layers. Images are [B, Y, X, C], independent of `keras.config.image_data_format()`.
"""

import keras

from keras_attention.layers import MultiChannelAttentionSelection, MultiScaleSpatialPooling, UnusedConvolution

# As in PyTorch; Keras's defaults are 0.99 and 1e-3.
MOMENTUM, EPSILON = 0.9, 1e-5
SLOPE = 0.2
LAST = "channels_last"


class SelectionGANParts:
    """Base class: creates layers of one dtype policy with the initializers of the published code."""

    def __init__(self, dtype):
        self.dtype = dtype

    def conv(self, filters, kernel_size, name, strides=1, padding="same", use_bias=True):
        return keras.layers.Conv2D(
            filters,
            kernel_size,
            strides,
            padding,
            data_format=LAST,
            use_bias=use_bias,
            kernel_initializer=small(),
            dtype=self.dtype,
            name=name,
        )

    def enlarge(self, filters, kernel_size, name, use_bias=True):
        """Transposed convolution, upsampling by 2."""
        return keras.layers.Conv2DTranspose(
            filters,
            kernel_size,
            2,
            "same",
            data_format=LAST,
            use_bias=use_bias,
            kernel_initializer=small(),
            dtype=self.dtype,
            name=name,
        )

    def norm(self, name):
        return keras.layers.BatchNormalization(
            momentum=MOMENTUM,
            epsilon=EPSILON,
            gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02),
            dtype=self.dtype,
            name=name,
        )

    def leaky(self, name):
        return keras.layers.LeakyReLU(negative_slope=SLOPE, dtype=self.dtype, name=name)

    def relu(self, name):
        return keras.layers.ReLU(dtype=self.dtype, name=name)

    def join(self, name):
        return keras.layers.Concatenate(axis=-1, dtype=self.dtype, name=name)


class UNet(SelectionGANParts):
    """U-Net: n downsamplings and n upsamplings with skip connections.

        down 1..n: [B, Y / 2^k, X / 2^k, F_k] = norm(4 × 4 convolution(leaky(x)))    F_k = width * min(2^(k - 1), 8)
        up n..2:   [B, Y / 2^(k - 1), X / 2^(k - 1), 2 F_(k - 1)] = [down, dropout(norm(transposed convolution(relu)))]
        features:  [B, Y / 2, X / 2, 2 width] = relu(the last of these)
        image:     [B, Y, X, channels] = tanh(transposed convolution(features))

    The first and the last downsampling convolution have no normalization, the first no activation before it. Dropout
    follows the upsampling from each level of 8 * width channels except the innermost. Repeated calls share weights.

    Args:
        channels: Channels of the output image.
        width: Channels of the first convolution.
        num_downs: n, at least 2.
        dropout: Dropout rate.
        dtype: Dtype policy of all layers.
        name: Prefix of the layers' names.
    """

    def __init__(self, channels, width, num_downs, dropout, dtype, name):
        super().__init__(dtype)
        filters = [width * min(2**level, 8) for level in range(num_downs)]
        inner = range(1, num_downs - 1)
        self.downs = [self.conv(n, 4, f"{name}_down{k}", 2, use_bias=False) for k, n in enumerate(filters, 1)]
        self.down_norms = {k: self.norm(f"{name}_down{k + 1}_norm") for k in inner}
        self.leakies = [self.leaky(f"{name}_down{k + 1}_leaky") for k in range(1, num_downs)]
        # Level k upsamples from down k + 1 to the size and the filters of down k.
        levels = range(num_downs - 1, 0, -1)
        self.ups = [self.enlarge(filters[k - 1], 4, f"{name}_up{k + 1}", use_bias=False) for k in levels]
        self.up_norms = [self.norm(f"{name}_up{k + 1}_norm") for k in levels]
        self.relus = [self.relu(f"{name}_up{k + 1}_relu") for k in (*levels, 0)]
        self.joins = [self.join(f"{name}_up{k + 1}_join") for k in levels]
        self.dropouts = [
            keras.layers.Dropout(dropout, dtype=dtype, name=f"{name}_up{k + 1}_dropout")
            if 4 <= k < num_downs - 1
            else None
            for k in levels
        ]
        self.paint = self.enlarge(channels, 4, f"{name}_up1")
        self.tanh = keras.layers.Activation("tanh", dtype=dtype, name=f"{name}_image")

    def __call__(self, x):
        """Returns (image, features)."""
        skips = []
        for k, down in enumerate(self.downs):
            x = down(self.leakies[k - 1](x) if k else x)
            x = self.down_norms[k](x) if k in self.down_norms else x
            skips.append(x)
        skips.pop()
        for up, norm, relu, join, dropout in zip(self.ups, self.up_norms, self.relus, self.joins, self.dropouts):
            x = norm(up(relu(x)))
            x = x if dropout is None else dropout(x)
            x = join([skips.pop(), x])
        features = self.relus[-1](x)
        return self.tanh(self.paint(features)), features


class SecondStage(SelectionGANParts):
    """Second stage: multi-channel attention selection on the features and images of the first stage.

        x:      [B, Y, X, F - images] = relu(dropout(transposed convolution(joined features)))
        joined: [B, Y, X, F]          = [x, images]
        merged: [B, Y, X, F]          = 3 × 3 convolution(multi-scale spatial pooling(joined)), or joined
        maps:                           of `MultiChannelAttentionSelection(merged)`

    Args:
        arguments: Dict of the generator's arguments.
        dtype: Dtype policy of all layers.
    """

    def __init__(self, arguments, dtype):
        super().__init__(dtype)
        self.arguments = arguments

    def __call__(self, features, images):
        """Lists of features and images -> outputs of `MultiChannelAttentionSelection` by name."""
        own, pools = self.arguments, self.arguments["pool_sizes"]
        F = own["selection_channels"]
        x = self.join("selection_features")(features) if len(features) > 1 else features[0]
        x = self.enlarge(F - sum(image.shape[-1] for image in images), 2, "selection_enlarge")(x)
        x = keras.layers.Dropout(own["dropout"], dtype=self.dtype, name="selection_dropout")(x)
        x = self.relu("selection_relu")(x)
        x = self.join("selection_join")([x, *images])
        if own["legacy_unused_conv"]:
            x = UnusedConvolution(len(pools) * F, F, dtype=self.dtype, name="selection_unused")(x)
        if pools:
            x = MultiScaleSpatialPooling(pools, data_format=LAST, dtype=self.dtype, name="selection_pooling")(x)
            x = self.conv(F, 3, "selection_merge")(x)
        return MultiChannelAttentionSelection(
            own["num_candidates"],
            own["image_channels"],
            uncertainty=own["uncertainty"],
            data_format=LAST,
            kernel_initializer=small(),
            dtype=self.dtype,
            name="selection",
        )(x, return_maps=True)


def patches(x, width, num_layers, dtype):
    """PatchGAN logits of overlapping patches of x, [B, Y / 2^n - 2, X / 2^n - 2, 1] with n = num_layers.

    Every convolution is 4 × 4 with zero padding 1; the last two have stride 1.
    """
    parts = SelectionGANParts(dtype)
    for k in range(num_layers + 2):
        first, last = k == 0, k == num_layers + 1
        x = keras.layers.ZeroPadding2D(1, data_format=LAST, dtype=dtype, name=f"pad{k + 1}")(x)
        filters = 1 if last else width * min(2**k, 8)
        strides = 2 if k < num_layers else 1
        name = "logits" if last else f"conv{k + 1}"
        x = parts.conv(filters, 4, name, strides, "valid", use_bias=first or last)(x)
        if not last:
            x = x if first else parts.norm(f"norm{k + 1}")(x)
            x = parts.leaky(f"leaky{k + 1}")(x)
    return x


def small():
    return keras.initializers.RandomNormal(stddev=0.02)
