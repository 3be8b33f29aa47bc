"""Flax's own layers, set to compute what elastic ones do: subnets are made of them."""

from flax import nnx

from supernets.layers.drawing import HE, initializer


def plain_convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    rngs: nnx.Rngs,
    *,
    stride: int = 1,
    groups: int = 1,
    dilation: int = 1,
) -> nnx.Conv:
    """Build a convolution, padded by `dilation (kernel - 1) / 2`, without a bias."""
    pad = dilation * (kernel - 1) // 2
    return nnx.Conv(
        inputs,
        outputs,
        (kernel, kernel),
        strides=stride,
        padding=((pad, pad), (pad, pad)),
        kernel_dilation=dilation,
        feature_group_count=groups,
        use_bias=False,
        kernel_init=initializer(HE),
        rngs=rngs,
    )


def plain_norm(channels: int, rngs: nnx.Rngs, *, affine: bool = True) -> nnx.BatchNorm:
    """Build a batch normalisation, with or without a scale and a bias."""
    return nnx.BatchNorm(
        channels,
        momentum=0.9,
        epsilon=1e-5,
        use_scale=affine,
        use_bias=affine,
        use_fast_variance=False,
        rngs=rngs,
    )
