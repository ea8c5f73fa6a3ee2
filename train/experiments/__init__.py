"""Many trainings, and the tables of what they showed: the study, the ablation and the search.

In go a choice of data and what is to be compared; out come a folder that a stopped experiment goes on from, and its
tables. Trainings run side by side, on one thread each, so that their number changes no result.

It exports int8 models to score them, and ships none: it does not know train.pipeline, nor that it.
"""
