"""The machine around the service: clock, files, logs, standard streams, systemd.

In go plain values, out come plain values. This room knows nothing of music: each module could serve another program.

==================  =====================================================================================
`clock`             `now`: a clock that is never set, and that goes on while the machine sleeps
`extras`            `advise_install`: how to add what not everybody installs
`fields`            `check`, `Range`: the values of a dataclass of settings, checked by their annotations
`files`             `read_regular_file`
`logs`              `configure`, `log_always`: the log on standard error, as text or JSON
`stderr`            `quiet_stderr`, `reserve_stderr`: what C libraries print, discarded
`terminal`          `print_error`, `printable`, `checked_stdout`
`worker`            `Worker`: a thread for what may hang
`sd_notify`         `SystemdNotifier`: state and watchdog, by sd_notify(3)
`systemd_unit`      `render_unit`, `install_unit`: the unit, and the file of settings that goes with it
==================  =====================================================================================
"""
