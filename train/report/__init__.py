"""What is written of a run: the model's card and the HTML report."""
