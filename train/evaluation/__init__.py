"""How good a model is, as the service runs it: on clips, on programmes, and in figures with counts.

Holds what the service's own recognizer says of clips and programmes (`clip_predictions`, `programme_predictions`), the
figures of that, how far the int8 model and the float network agree, and the log of who looked at the real clips. In go
a bundle and clips; out come results that tell themselves as json and as Markdown.

It is given the networks that it measures, and knows neither how they were fitted nor how they are exported.
"""
