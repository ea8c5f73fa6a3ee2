"""What a network with several heads is to get right: labels, a teacher's tags, and players that lie together."""

from __future__ import annotations

from typing import Final

import tensorflow as tf

SHARPNESS: Final = 14.0
"""What the cosine of an embedding and a player's direction is multiplied by before the softmax."""


def instrument_loss(targets: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor, certain: tf.Tensor) -> tf.Tensor:
    """Cross entropy with the shares of the labels, summed over a batch.

    Parameters
    ----------
    targets, logits : tf.Tensor [shape=(n, labels)]
        Where a target is all zero, nothing is known, and nothing is asked for.
    weights : tf.Tensor [shape=(n,)]
        How far each target is to be believed.
    certain : tf.Tensor [shape=(n, labels), dtype=bool]
        Which labels a target tells of. The others may have any probability: they are left out of the softmax.
    """
    logits = tf.where(certain, logits, -1e4)
    return tf.reduce_sum(weights * tf.nn.softmax_cross_entropy_with_logits(targets, logits))


def smoothed(targets: tf.Tensor, certain: tf.Tensor, amount: float) -> tf.Tensor:
    """Give some of each target's share to all labels that it tells of; a target of zeros stays one."""
    told = tf.cast(certain, targets.dtype)
    even = tf.math.divide_no_nan(told, tf.reduce_sum(told, axis=1, keepdims=True))
    return tf.reduce_sum(targets, axis=1, keepdims=True) * amount * even + (1 - amount) * targets


def tag_loss(teacher: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Divergence of independent tags from a teacher's probabilities, summed over tags and batch.

    Zero where they are equal (Hinton et al., 2015, with each tag a distribution of two).

    Parameters
    ----------
    teacher, logits : tf.Tensor [shape=(n, tags)]
        Both before the sigmoid.
    weights : tf.Tensor [shape=(n,)]
    """
    probabilities = tf.sigmoid(teacher)
    crossed = tf.nn.sigmoid_cross_entropy_with_logits(probabilities, logits)
    least = tf.nn.sigmoid_cross_entropy_with_logits(probabilities, teacher)
    return tf.reduce_sum(weights * tf.reduce_sum(crossed - least, axis=1))


def embedding_loss(embeddings: tf.Tensor, directions: tf.Tensor, players: tf.Tensor) -> tf.Tensor:
    """Cross entropy of which player an embedding lies nearest to, summed over a batch.

    A direction is learned for each player, and an embedding is to lie nearer to its player's than to the others'
    (Zhai and Wu, 2019, Classification is a strong baseline for deep metric learning).

    Parameters
    ----------
    embeddings : tf.Tensor [shape=(n, size)]
    directions : tf.Tensor [shape=(players, size)]
    players : tf.Tensor [shape=(n,), dtype=int32]
        Row of `directions`; -1 where nobody is in front.
    """
    known = tf.cast(players >= 0, embeddings.dtype)
    cosines = tf.matmul(
        tf.math.l2_normalize(embeddings, axis=1), tf.math.l2_normalize(directions, axis=1), transpose_b=True
    )
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(players, 0), SHARPNESS * cosines)
    return tf.reduce_sum(known * losses)
