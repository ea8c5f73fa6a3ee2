"""Taught players: names that somebody teaches by playing, beside the labels that a model knows.

In go what a model says of some seconds of somebody's playing, and of a bank of everything else; out come small files
with heads, which `stream.recognition.recognizer.Recognizer` takes. This room knows no device, network or asyncio.

=============  ========================================================================================
`enrolment`    `Enroller`, `enrol`: what is kept of somebody's playing
`bank`         `Bank`, `load_bank`: everything else, beside the model
`fitting`      `fit_all`: a head for each name, against the bank and each other
`reliability`  `Reliability`: whether a name is told apart, in numbers and in words
`player`       `TaughtPlayer`: a name with all that belongs to it, and its file
`folder`       `PlayerFolder`: all that are taught; teaching, renaming, removing, adding
=============  ========================================================================================
"""
