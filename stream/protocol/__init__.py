"""Protocol version 1: the typed messages, the requests, their one encoding, and what a subscription lets through.

In go values of the service; out come the texts of WebSocket frames, and back. It does no I/O.
"""
