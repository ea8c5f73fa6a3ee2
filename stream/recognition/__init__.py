"""Samples in, results out: ring, mel, model, smoothing, recognizer.

In go mono samples at 22 050 Hz and a model bundle; out comes, every hop, which instrument is in front. It knows no
clock, no device, no network, no asyncio: time is samples divided by the rate.
"""
