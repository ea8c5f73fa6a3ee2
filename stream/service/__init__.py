"""One running service: a source, a line that recognizes it, and all who take from that.

In go settings; out come events (`events`), which server, session log, metrics, health and systemd each take. It
connects the other rooms and holds what belongs to none of them: what is listened to and its time (`listening`,
`timeline`), the `line` between a source and the messages about it, `health`, `reload`, the `process`; `offline`, the
same recognizer for whole files; and `line_check`, which compares a stage with its plan: what each spot shows
(`spot_hearing`), what that says of the lines (`line_states`), in words (`line_words`).
It knows nothing of command lines and of the bench.
"""
