"""What SQL Server and Azure SQL say, by number: what may pass by itself, and what a person should do.

Each text is the start of the one in sys.messages, as far as it tells one message from the others
(https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors).
`%ls` and `%d` stand for a name or a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

TRANSIENT_MESSAGES: Mapping[int, str] = {
    # The server or the database is not there for the moment: it starts, ends, fails over, or is being moved.
    596: "Cannot continue the execution because the session is in the kill state",
    615: "Could not find database ID %d, name '%ls'. The database may be offline. Wait",
    921: "Database '%ls' has not been recovered yet",
    922: "Database '%ls' is being recovered",
    924: "Database '%ls' is already open and can only have one user at a time",
    927: "Database '%ls' cannot be opened. It is in the middle of a restore",
    941: "Database '%ls' cannot be opened because it is not started",
    952: "Database '%ls' is in transition",
    955: "Database %ls is enabled for Database Mirroring, but the database lacks quorum",
    956: "Database %ls is enabled for Database Mirroring, but has not yet synchronized",
    976: "The target database, '%ls', is participating in an availability group and is currently not",
    979: "The target database ('%ls') is in an availability group and currently does not allow read only",
    982: "Unable to access the '%ls' database because no online secondary replicas are enabled",
    983: "Unable to access availability database '%ls' because the database replica is not in",
    988: "Unable to access database '%ls' because it lacks a quorum of nodes",
    3947: "The transaction was aborted because the secondary compute failed to catch up redo",
    3948: "The transaction was terminated because of the availability replica config/state change",
    3949: "Transaction aborted when accessing versioned row in table '%ls' in database '%ls'. Requested "
    "versioned row was not found because the readable secondary",
    3953: "Snapshot isolation transaction failed in database '%ls' because the database was not recovered",
    # A wrong name gives it too, but so does a database that starts or fails over, and Microsoft's own retry
    # logic counts it as transient.
    4060: 'Cannot open database "%ls" requested by the login',
    4221: "Login to read-secondary failed due to long wait on",
    6005: "SHUTDOWN is in progress",
    9001: "The log for database '%ls' is not available",
    17142: "SQL Server service has been paused",
    17187: "SQL Server is not ready to accept new client connections",
    17188: "SQL Server cannot accept new connections, because it is shutting down",
    17191: "Cannot accept a new connection because the session has been terminated",
    18401: "Login failed for user '%ls'. Reason: Server is in script upgrade mode",
    18451: "Login failed for user '%ls'. Only administrators may connect at this time",
    18461: "Login failed for user '%ls'. Reason: Server is in single user mode",
    35250: "The connection to the primary replica is not active",
    35256: "The session timeout value was exceeded while waiting for a response from the other",
    40020: "The database is in transition and transactions are being terminated",
    40025: "The transaction was aborted during commit due to a database state transition",
    40085: "The primary partition has lost the quorum",
    40090: "The primary partition is in transition",
    40143: "The replica that the data node hosts for the requested partition is not primary",
    40153: "The current database has been shutdown",
    40166: "A CloudDB reconfiguration is going on",
    40174: "The partition is in transition",
    40184: "Login failed. A system operation is in progress",
    40197: "The service has encountered an error processing your request",
    40540: "Transaction was aborted as database is moved to read-only mode",
    40613: "Database '%ls' on server '%ls' is not currently available",
    40627: "Operation on server '%ls' and database '%ls' is in progress",
    40890: "The elastic pool is busy with another operation",
    40925: "Can not connect to the database in its current state",
    41341: "Table '%ls' is not yet available on the secondary replica",
    42109: "The SQL pool is warming up",
    45182: "Database '%ls' is busy with another operation",
    45197: "A system maintenance operation is in progress",
    49977: "The elastic pool '%ls' is busy with another operation",
    # It has too much to do, or too little room.
    701: "There is insufficient system memory",
    802: "There is insufficient memory available in the buffer pool",
    845: "Time-out occurred while waiting for buffer latch",
    1104: "Tempdb ran out of space during spilling",
    1214: "Internal Error. There are too many parallel transactions",
    3950: "Version store scan timed out",
    3958: "Transaction aborted when accessing versioned row in table '%ls' in database '%ls'. Requested "
    "versioned row was not found. Your tempdb",
    3959: "Version store is full",
    3966: "Transaction is rolled back when accessing version store",
    3967: "Insufficient space in tempdb to hold row versions",
    3985: "An error occurred during the changing of transaction context",
    8628: "A time out occurred while waiting to optimize the query",
    8642: "The query processor could not start the necessary thread resources",
    8645: "A timeout occurred while waiting for memory resources",
    8651: "Could not perform the operation because the requested memory grant was not available",
    9002: "The transaction log for database '%ls' is full",
    10928: "Resource ID : %d. The %ls limit for the database is %d",
    10929: "Resource ID : %d. The %ls minimum guarantee is %d",
    10930: "The service is currently too busy",
    10936: "Resource ID : %d. The %ls limit for the elastic pool is %d",
    10961: "The request has been aborted because its CPU usage exceeds",
    17189: "SQL Server failed with error code %ls to spawn a thread",
    17197: "Login failed due to timeout; the connection has been closed",
    17803: "There was a memory allocation failure during connection establishment",
    17809: "Could not connect because the maximum number of '%d' user connections",
    17829: "A network error occurred while establishing a connection",
    17830: "Network error code %ls occurred while establishing a connection",
    17899: "Login timer expired for the client connection",
    17900: "A network error occurred in the established connection",
    40501: "The service is currently busy",
    40549: "Session is terminated because you have a long running transaction",
    40550: "The session has been terminated because it has acquired too many locks",
    40551: "The session has been terminated because of excessive tempdb usage",
    40552: "The session has been terminated because of excessive transaction log space usage",
    40553: "The session has been terminated because of excessive memory usage",
    40642: "The server is currently too busy",
    40648: "Too many requests have been performed",
    40671: "Unable to '%ls' '%ls' on server '%ls'. Please retry the connection later",
    40825: "Unable to complete request now",
    40903: "The server '%ls' is currently busy",
    41840: "Could not perform the operation because the elastic pool or managed instance has",
    45168: "The server '%ls' has too many active connections",
    45169: "The subscription '%ls' has too many active connections",
    49918: "Cannot process request. Not enough resources to process request",
    49919: "Cannot process create or update request. Too many create or update operations",
    49920: "Cannot process request. Too many operations in progress",
    # Others stood in the way.
    601: "Could not continue scan with NOLOCK due to data movement",
    614: "Could not locate bookmark due to data movement",
    992: "Failed to get the shared lock on database",
    997: "Failed to get the update lock on database",
    1203: "Process ID %d attempted to unlock a resource it does not own",
    1204: "The instance of the SQL Server Database Engine cannot obtain a LOCK resource",
    1205: "Transaction (Process ID %d) was deadlocked on",
    1219: "Your session has been disconnected because of a high priority DDL operation",
    1222: "Lock request time out period exceeded",
    3940: "Failed to acquire necessary locks during commit and the transaction was rolled back",
    3984: "Cannot acquire a database lock during a transaction change",
    3957: "Snapshot isolation transaction failed in database '%ls' because the database did not allow "
    "snapshot isolation when the current transaction started",
    3960: "Snapshot isolation transaction aborted due to update conflict",
    3961: "Snapshot isolation transaction failed in database '%ls' because the object accessed by the "
    "statement has been modified by a DDL statement",
    41301: "A transaction dependency failure occurred",
    41302: "The current transaction attempted to update a record that has been updated since",
    41305: "The current transaction failed to commit due to a repeatable read validation failure",
    41325: "The current transaction failed to commit due to a serializable validation failure",
    41839: "Transaction exceeded the maximum number of commit dependencies",
}
"""What may pass by itself."""


class Advised(NamedTuple):
    """A message that stays until a person acts."""

    text: str
    """The start of its text."""
    advice: str
    """What to do."""


RIGHTS = "Grant the rights of include/sql/admin/create_role.sql."
DATABASE = "Check that the connection names the right database, and the login's rights there."
LOGIN = "Check the connection's login and password."
_PASSWORD = "Set a new password, on the server and in the Airflow connection."  # noqa: S105

ADVISED_MESSAGES: Mapping[int, Advised] = {
    207: Advised("Invalid column name", DATABASE),
    208: Advised("Invalid object name", DATABASE),
    229: Advised("The %ls permission was denied on the object", RIGHTS),
    230: Advised("The %ls permission was denied on the column", RIGHTS),
    262: Advised("%ls permission denied in database", RIGHTS),
    916: Advised('The server principal "%ls" is not able to access the database', RIGHTS),
    926: Advised(
        "Database '%ls' cannot be opened. It has been marked SUSPECT", "Restore the database."
    ),
    942: Advised("Database '%ls' cannot be opened because it is offline", "Bring it online."),
    945: Advised(
        "Database '%ls' cannot be opened due to inaccessible files",
        "See the server's error log for the file, or make room.",
    ),
    978: Advised(
        "The target database ('%ls') is in an availability group and is currently accessible for "
        "connections when the application intent",
        "The connection leads to a replica that only reads. Name the group's listener as the host.",
    ),
    1105: Advised("Could not allocate space for object", "Make room for the database's files."),
    2760: Advised("The specified schema name", RIGHTS),
    3906: Advised(
        'Failed to update database "%ls" because the database is read-only',
        "The connection leads to a replica, or a copy, that only reads. Name the group's listener, or the "
        "primary, as the host.",
    ),
    3952: Advised(
        "Snapshot isolation transaction failed accessing database",
        "A view of the store leads into that database: run "
        "include/sql/admin/allow_snapshot_isolation.sql there too.",
    ),
    18452: Advised("Login failed. The login is from an untrusted domain", "Check ticket and SPN."),
    18456: Advised("Login failed for user '%ls'", LOGIN),
    18470: Advised(
        "Login failed for user '%ls'. Reason: The account is disabled", "Enable the login."
    ),
    18486: Advised(
        "Login failed for user '%ls' because the account is currently locked out",
        "Unlock the login, and check the connection's password.",
    ),
    18487: Advised(
        "Login failed for user '%ls'.  Reason: The password of the account has expired", _PASSWORD
    ),
    18488: Advised(
        "Login failed for user '%ls'.  Reason: The password of the account must be changed",
        _PASSWORD,
    ),
    40544: Advised("The database '%ls' has reached its size quota", "Give the database more room."),
    40615: Advised(
        "Cannot open server '%ls' requested by the login", "Open the server's firewall."
    ),
    42108: Advised("Can not connect to the SQL pool since it is paused", "Resume the SQL pool."),
}
"""What stays, and what helps."""
