"""How placement and classes are learned: sequences replayed by their truth, trees fitted to what they show."""
