"""The `soloist` command: one file for each of its commands; `command_line` names them."""
