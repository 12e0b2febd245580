"""Reed beside its peers and beside the limit of the machine, in one run; see README.md."""
