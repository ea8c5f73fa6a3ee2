"""Fitting a network: the loop, its schedule, its checkpoints, and machines that share the work.

In go the features of training and validation clips and a schedule; out comes the network with the weights of its best
epoch, and a folder that a run goes on from when it was stopped, `training_run.TrainingRun`.

It knows networks and the metrics that an epoch is chosen by, and neither int8 models nor bundles, cards and reports.
"""
