"""The book of a run: verdict, front page, figures, and the runner that makes them."""
