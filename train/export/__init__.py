"""From a fitted network to what the service loads: the int8 model, and the json beside it.

Holds the rounding of weights, the conversion to TFLite, the calibration of its outputs, and where a model comes from
(`provenance`). In go a network, its features and its run; out come `NAME.tflite` and `NAME.json`.

It knows how a run is written down, and nothing of card and report.
"""
