"""Command line, variables and TOML, read into the settings of the rooms, and what is wrong with them."""
