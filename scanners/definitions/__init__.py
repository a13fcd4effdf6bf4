"""What a definition says to a model besides what it is for: hidden text, orders, foreign names, bombs."""
