"""What is written of a run for people: the card of its model, and a report in HTML.

In go results, provenance and the history of a run; out come Markdown and one HTML file that needs nothing else. The
same arguments give the same bytes.

It measures nothing, and does not know where its texts are written.
"""
