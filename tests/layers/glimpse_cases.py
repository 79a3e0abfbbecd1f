"""The conformance cases of the layers of recurrent visual attention, as in `cases.py`."""

from keras_attention import layers
from tests.layers.case import LayerCase

IMAGES_AND_LOCATIONS = ((2, 7, 9, 3), (2, 2))

GLIMPSES = [
    LayerCase(
        layers.GlimpseSensor, {"size": 5, "scales": 2}, IMAGES_AND_LOCATIONS, (2, 5, 5, 6), weights=0, dynamic=()
    ),
    LayerCase(
        layers.GlimpseSensor,
        {"size": 4, "scales": 3, "factor": 1.5, "soft": True},
        IMAGES_AND_LOCATIONS,
        (2, 4, 4, 9),
        weights=0,
        name="soft",
        dynamic=(),
    ),
    LayerCase(
        layers.GlimpseNetwork,
        {"size": 5, "scales": 2, "glimpse_units": 11, "location_units": 6, "units": 8},
        IMAGES_AND_LOCATIONS,
        (2, 8),
        weights=8,
        dynamic=(),
        int8=True,
    ),
    LayerCase(
        layers.FirstLocation, {"seed": 3}, ((2, 7, 9, 3),), (2, 2), weights=0, dynamic=(1, 2), full_precision=True
    ),
    LayerCase(
        layers.LocationPolicy,
        {"std": 0.3, "differentiable": True, "detach": False},
        ((2, 5),),
        ((2, 2), (2,)),
        weights=2,
        dynamic=(),
        full_precision=True,
    ),
]
