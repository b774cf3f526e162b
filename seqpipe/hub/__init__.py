"""Models on the Hugging Face Hub, fetched as run directories. Imports `seqpipe.model_file` and what stands below it."""
