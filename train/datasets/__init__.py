"""Clips of whatever data set they come from, their division by recording, and their features on disk.

Holds the readers of Medley-solos-DB, of folders and of manifests, what keeps recordings on one side of a split, and
the cache of features. In go audio files and tables; out come `clips.Dataset`, a collection of clips with their audio,
and `corpus.Corpus`, the features of one split. Every other kind of data set implements the same protocol.

It knows the front end of `stream.recognition`, and no network, no model and nothing that composes clips.
"""
