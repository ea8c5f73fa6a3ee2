"""The `soloist` command: one file for each of its commands, with its arguments, what it does and what it prints.

In go the words of a command line; out come text on standard output, one line for each fault on standard error, and an
exit status. `command_line` names the commands, and imports the one that is meant. Nothing knows this room.
"""
