"""What is done to each element, a folder a stage, in the order of the data flow."""
