"""Write: framing, the shard writer, the manifest and the commit."""
