"""Clips and programmes composed of recorded notes, phrases and noises, and the demo.

Holds the way from a pack of recordings to sound: which sources play (`source_selection`), what they play (`phrases`,
`melodies`, `chords`, `notes`), what happens to it in a room and at a desk (`effects`), and the notes that FluidSynth
renders. In goes a pack, a folder with `training.csv`; out come `composed_clips.ComposedClips`, a data set, and
programmes of one player after another, whose truth is known.

It knows the protocol of `train.datasets`, and neither models nor what is learned from its clips. What a clip depends
on is part of its digest: see `composed_clips`.
"""
