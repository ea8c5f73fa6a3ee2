"""Command line, variables and TOML, read into the settings of the rooms, and what is wrong with them.

In go flags, the environment and a file; out come `settings.Settings`, one object for each room, the place where each
value stands, and a line for each that cannot be used. What a setting may be is declared by the rooms; `check` tries
what they name: models, files, hosts. `lines_plan` reads which line is on which channels. It knows
nothing of the running service.
"""
