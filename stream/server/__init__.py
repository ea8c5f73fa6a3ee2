"""Who is connected, what each still gets, and who may come in; HTTP on the same port.

In go messages to publish; out go frames to each subscriber at its own pace. It knows nothing of audio, recognition and
the session log.
"""
