"""The study, the search and the ablation: many trainings, and the tables of what they showed."""
