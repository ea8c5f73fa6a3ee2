"""The architectures of networks, by name.

Holds the published convolutional networks and the residual family. In go a name, the number of labels and of input
channels; out comes a Keras network with freshly drawn weights, from features in dB to logits.

It knows the shape of the features, and neither data nor how a network is fitted.
"""
