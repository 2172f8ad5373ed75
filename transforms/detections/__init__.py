"""Write: detections as Parquet, exports and annotated video."""
