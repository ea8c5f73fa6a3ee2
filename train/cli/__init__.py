"""The `soloist train` command: one file for each of its actions.

Each file holds an action's arguments, what it does and what it prints: `add_parser` adds it to the command line, `run`
is called with what was given. A new action is such a file, and a line in `train.cli.actions`. All other rooms are used
here, and none knows this one. Whoever asks for help does not wait for TensorFlow: an action imports what it needs when
it runs.
"""
