"""Account: reasons, rows and the closing identity."""
