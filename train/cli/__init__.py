"""The `soloist train` command: one file for each of its actions."""
