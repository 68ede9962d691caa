"""How good a result is: metrics, checks, plots and the page that shows them."""
