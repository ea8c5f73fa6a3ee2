"""What `soloist bench` measures: this machine against the design's targets, or against another Soloist.

In goes the shipped demo and a model; out come figures under the keys of `figures`, which also says what each is, which
way is better and what is wanted. `measurements` takes them all, `soak` lets one recognizer hear many hours,
`comparison` runs whole benches of two installations in turn, and `tables` writes any of them for people and for
programs. The service knows nothing of this room.
"""
