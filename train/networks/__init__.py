"""The architectures of networks, by name.

Holds the published convolutional networks, the residual family, and EfficientAT's MobileNetV3 with its published
weights. In go a name, the number of labels and of input channels; out comes a Keras network with freshly drawn weights,
from features to logits.

It knows the shape of the features, and neither data nor how a network is fitted.
"""
