"""From a fitted network to a model that is shipped: bundle, card and report of a run, in one go.

Drives export, evaluation and report in their order (`release`), and the training that goes on with all sources once a
model is measured without some of them (`refit`). In go a run, its clips and its network; out come all files of a
model.

It knows all rooms below, and no command line.
"""
