"""Training a pretrained network further: one trunk, several heads, soft targets.

In go windows with shares of labels and who plays in each, and a network that has learned from millions of others; out
comes a network that names instruments, keeps the tags that it had, and embeds recordings so that those of one player
lie together.

It knows data sets, networks and how the service hears a window, and neither bundles nor cards nor command lines.
"""
