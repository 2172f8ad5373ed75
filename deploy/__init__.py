"""How Boxmill is put to work elsewhere: on Dataflow, and on a schedule."""
