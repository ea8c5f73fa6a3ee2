"""The machine around the service: clock, worker thread, files, logs, terminal, systemd.

It knows nothing of music: each module could serve another program.
"""
