"""Plan: what a run would take, by formulas over counts, bytes and measured rates."""
