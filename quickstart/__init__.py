"""What gets the pipeline going: the sample store, `make run`, `make ui`, the containers' set-up."""
