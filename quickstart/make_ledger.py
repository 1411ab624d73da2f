"""`make ledger`: the send ledger of the embedded store, unless a connection says otherwise."""

from __future__ import annotations

import os
import sys

from quickstart.environment import VAR, airflow_environment, defaults
from quickstart.mail_sink import free_port

if __name__ == "__main__":
    os.environ.update(airflow_environment(VAR) | defaults(VAR, free_port()))
    from reclustering.__main__ import main

    sys.exit(main(["ledger", *sys.argv[1:]]))
