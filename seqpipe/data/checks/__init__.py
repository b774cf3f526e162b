"""What `seqpipe.data.check` looks for, one idea a file."""
