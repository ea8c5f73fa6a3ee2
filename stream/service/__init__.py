"""One running service: a source, a line that recognizes it, and all who take from that.

It connects the other rooms and holds what belongs to none of them: stream time, health, reload, the process.
"""
