"""How good a model is, as the service runs it: on clips, on programmes, and in figures with counts."""
