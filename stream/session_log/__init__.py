"""What was heard, kept on disk through crashes and power cuts, and read again.

In go messages as they are published; out come records of any time, and files of them. It knows nothing of audio, of
recognition and of who is connected.
"""
