"""What each status code means, in one sentence, and what to try; read by :mod:`openwmi.model.status`."""

from __future__ import annotations

from typing import Final

# Symbol -> sentence.
TEXTS: Final[dict[str, str]] = {
    "WBEM_S_NO_ERROR": "The operation succeeded.",
    "WBEM_S_FALSE": "There are no more objects, fewer than asked for, or the answer is no.",
    "WBEM_S_ALREADY_EXISTS": "The object already existed.",
    "WBEM_S_RESET_TO_DEFAULT": "The override was deleted; the inherited value is in force again.",
    "WBEM_S_DIFFERENT": "The two objects differ.",
    "WBEM_S_TIMEDOUT": "The time allowed ran out; what had arrived by then was delivered.",
    "WBEM_S_NO_MORE_DATA": "The enumeration is at its end.",
    "WBEM_S_OPERATION_CANCELLED": "The operation was cancelled.",
    "WBEM_S_PENDING": "The operation is still running.",
    "WBEM_S_DUPLICATE_OBJECTS": "The result contains the same object more than once.",
    "WBEM_S_ACCESS_DENIED": (
        "Some of the resources were not accessible to the caller, so the result is incomplete."
    ),
    "WBEM_S_PARTIAL_RESULTS": "Some objects could not be read, so the result is incomplete.",
    "WBEM_S_SOURCE_NOT_AVAILABLE": "The source of the data is not available now.",
    "WBEM_S_NEW_STYLE": "The receiver takes objects as an array.",
    "WBEM_S_LIMITED_SERVICE": "The provider offers a limited service.",
    "WBEM_S_INDIRECTLY_UPDATED": "The object was updated indirectly.",
    "WBEM_S_SUBJECT_TO_SDS": "Each event carries a security descriptor of its own.",
    "WBEM_E_FAILED": "The operation failed for a reason that was not given.",
    "WBEM_E_NOT_FOUND": "The object does not exist.",
    "WBEM_E_ACCESS_DENIED": "The caller does not have the right that this operation needs.",
    "WBEM_E_PROVIDER_FAILURE": "The provider failed while it worked on the request.",
    "WBEM_E_TYPE_MISMATCH": "A value has the wrong type, or does not fit its type.",
    "WBEM_E_OUT_OF_MEMORY": "There is not enough memory for the operation.",
    "WBEM_E_INVALID_CONTEXT": (
        "The context object lacks a value that the operation needs, or it contradicts the flags."
    ),
    "WBEM_E_INVALID_PARAMETER": "A parameter is missing or not valid, or a flag is not allowed here.",
    "WBEM_E_NOT_AVAILABLE": "The resource or the remote server is not available now.",
    "WBEM_E_CRITICAL_ERROR": "An internal error stopped the operation.",
    "WBEM_E_INVALID_STREAM": "The encoded object is damaged.",
    "WBEM_E_NOT_SUPPORTED": "This feature is not supported.",
    "WBEM_E_INVALID_SUPERCLASS": "The superclass does not exist or cannot be derived from.",
    "WBEM_E_INVALID_NAMESPACE": "The namespace does not exist.",
    "WBEM_E_INVALID_OBJECT": "The object is not valid here.",
    "WBEM_E_INVALID_CLASS": "The class does not exist or is not valid here.",
    "WBEM_E_PROVIDER_NOT_FOUND": "The class names a provider that is not registered.",
    "WBEM_E_INVALID_PROVIDER_REGISTRATION": "The registration of the provider is faulty.",
    "WBEM_E_PROVIDER_LOAD_FAILURE": "The provider could not be started.",
    "WBEM_E_INITIALIZATION_FAILURE": "A component could not be initialised.",
    "WBEM_E_TRANSPORT_FAILURE": "The network connection failed during the operation.",
    "WBEM_E_INVALID_OPERATION": "The operation is not possible on this object.",
    "WBEM_E_INVALID_QUERY": "The query is not valid.",
    "WBEM_E_INVALID_QUERY_TYPE": "The query language is not supported; only WQL is.",
    "WBEM_E_ALREADY_EXISTS": "The object exists already.",
    "WBEM_E_OVERRIDE_NOT_ALLOWED": "The inherited qualifier does not allow an override.",
    "WBEM_E_PROPAGATED_QUALIFIER": (
        "The qualifier is inherited and can only be deleted where it is declared."
    ),
    "WBEM_E_PROPAGATED_PROPERTY": "The property is inherited and can only be deleted where it is declared.",
    "WBEM_E_UNEXPECTED": "The call is not allowed at this point of the sequence of calls.",
    "WBEM_E_ILLEGAL_OPERATION": "The operation is not allowed on this kind of object.",
    "WBEM_E_CANNOT_BE_KEY": "The property cannot be a key.",
    "WBEM_E_INCOMPLETE_CLASS": "The class is not complete or has not been stored yet.",
    "WBEM_E_INVALID_SYNTAX": "The text is malformed.",
    "WBEM_E_NONDECORATED_OBJECT": "The object does not know its server and namespace.",
    "WBEM_E_READ_ONLY": "The property cannot be written.",
    "WBEM_E_PROVIDER_NOT_CAPABLE": "The provider does not support this operation.",
    "WBEM_E_CLASS_HAS_CHILDREN": "The class has subclasses, so this change is refused.",
    "WBEM_E_CLASS_HAS_INSTANCES": "The class has instances, so this change is refused.",
    "WBEM_E_QUERY_NOT_IMPLEMENTED": "This kind of query is not implemented.",
    "WBEM_E_ILLEGAL_NULL": "NULL is not allowed for this value.",
    "WBEM_E_INVALID_QUALIFIER_TYPE": "A qualifier cannot have a value of this type.",
    "WBEM_E_INVALID_PROPERTY_TYPE": "A property cannot have this type.",
    "WBEM_E_VALUE_OUT_OF_RANGE": "The value is outside the range that is allowed.",
    "WBEM_E_CANNOT_BE_SINGLETON": "The class cannot be a singleton.",
    "WBEM_E_INVALID_CIM_TYPE": "The CIM type is not known.",
    "WBEM_E_INVALID_METHOD": "The class has no such method.",
    "WBEM_E_INVALID_METHOD_PARAMETERS": "The parameters do not fit the method.",
    "WBEM_E_SYSTEM_PROPERTY": "The operation is not allowed on a system property.",
    "WBEM_E_INVALID_PROPERTY": "The property does not exist.",
    "WBEM_E_CALL_CANCELLED": "The call was cancelled.",
    "WBEM_E_SHUTTING_DOWN": "The service is shutting down.",
    "WBEM_E_PROPAGATED_METHOD": "The method is inherited and cannot be changed or deleted here.",
    "WBEM_E_UNSUPPORTED_PARAMETER": (
        "A parameter is more than the provider supports; a simpler request may succeed."
    ),
    "WBEM_E_MISSING_PARAMETER_ID": "A method parameter has no ID qualifier.",
    "WBEM_E_INVALID_PARAMETER_ID": "The ID qualifier of a method parameter is not valid.",
    "WBEM_E_NONCONSECUTIVE_PARAMETER_IDS": (
        "The ID qualifiers of the method parameters are not 0, 1, 2 and so on."
    ),
    "WBEM_E_PARAMETER_ID_ON_RETVAL": "The return value of a method must not have an ID qualifier.",
    "WBEM_E_INVALID_OBJECT_PATH": "The object path is malformed or does not fit the class.",
    "WBEM_E_OUT_OF_DISK_SPACE": "The disk is full, or the repository has reached its largest size.",
    "WBEM_E_BUFFER_TOO_SMALL": "The buffer is too small for the result.",
    "WBEM_E_UNSUPPORTED_PUT_EXTENSION": "The provider does not support this kind of partial put.",
    "WBEM_E_UNKNOWN_OBJECT_TYPE": "The encoded object is of an unknown kind.",
    "WBEM_E_UNKNOWN_PACKET_TYPE": "The packet is of an unknown kind.",
    "WBEM_E_MARSHAL_VERSION_MISMATCH": "The packet has an unknown version.",
    "WBEM_E_MARSHAL_INVALID_SIGNATURE": "The packet does not begin with the right signature.",
    "WBEM_E_INVALID_QUALIFIER": "The qualifier is not valid in this place.",
    "WBEM_E_INVALID_DUPLICATE_PARAMETER": "A method parameter is declared twice in different ways.",
    "WBEM_E_TOO_MUCH_DATA": "The request or its result is too large.",
    "WBEM_E_SERVER_TOO_BUSY": "The server is too busy to take the request.",
    "WBEM_E_INVALID_FLAVOR": "The combination of qualifier flavors is not valid.",
    "WBEM_E_CIRCULAR_REFERENCE": "The class would be derived from itself.",
    "WBEM_E_UNSUPPORTED_CLASS_UPDATE": "The class cannot be changed in this way.",
    "WBEM_E_CANNOT_CHANGE_KEY_INHERITANCE": (
        "The change would alter keys that subclasses or instances rely on."
    ),
    "WBEM_E_CANNOT_CHANGE_INDEX_INHERITANCE": (
        "The change would alter an index that subclasses or instances rely on."
    ),
    "WBEM_E_TOO_MANY_PROPERTIES": "The class has more properties than are allowed.",
    "WBEM_E_UPDATE_TYPE_MISMATCH": "A subclass declares the property with another type.",
    "WBEM_E_UPDATE_OVERRIDE_NOT_ALLOWED": "A subclass overrides a qualifier that would no longer allow it.",
    "WBEM_E_UPDATE_PROPAGATED_METHOD": "A subclass declares the method with another signature.",
    "WBEM_E_METHOD_NOT_IMPLEMENTED": "The method is declared but not implemented.",
    "WBEM_E_METHOD_DISABLED": "The method is disabled.",
    "WBEM_E_REFRESHER_BUSY": "The refresher is in use by another call.",
    "WBEM_E_UNPARSABLE_QUERY": "The event query could not be parsed.",
    "WBEM_E_NOT_EVENT_CLASS": "The class in the FROM clause of an event query is not an event class.",
    "WBEM_E_MISSING_GROUP_WITHIN": "GROUP BY needs GROUP WITHIN.",
    "WBEM_E_MISSING_AGGREGATION_LIST": "The GROUP BY clause names no properties.",
    "WBEM_E_PROPERTY_NOT_AN_OBJECT": "The query reaches into a property that is not an embedded object.",
    "WBEM_E_AGGREGATING_BY_OBJECT": "A query cannot group by an embedded object.",
    "WBEM_E_UNINTERPRETABLE_PROVIDER_QUERY": (
        "An event provider is registered with a query that names no class."
    ),
    "WBEM_E_BACKUP_RESTORE_WINMGMT_RUNNING": "The repository is in use.",
    "WBEM_E_QUEUE_OVERFLOW": "Events were lost because the queue for them was full.",
    "WBEM_E_PRIVILEGE_NOT_HELD": "The caller lacks a privilege that the operation needs.",
    "WBEM_E_INVALID_OPERATOR": "The operator cannot be used with a property of this type.",
    "WBEM_E_LOCAL_CREDENTIALS": "User name and password cannot be given for a connection to this machine.",
    "WBEM_E_CANNOT_BE_ABSTRACT": "The class cannot be abstract, because its superclass is not.",
    "WBEM_E_AMENDED_OBJECT": (
        "The object holds localised text and the call does not say that it may be stored."
    ),
    "WBEM_E_CLIENT_TOO_SLOW": "The client did not take its results in time.",
    "WBEM_E_NULL_SECURITY_DESCRIPTOR": "A security descriptor is missing.",
    "WBEM_E_TIMED_OUT": "The operation took too long.",
    "WBEM_E_INVALID_ASSOCIATION": "The association does not have the references it needs.",
    "WBEM_E_AMBIGUOUS_OPERATION": "The operation can be understood in more than one way.",
    "WBEM_E_QUOTA_VIOLATION": "A quota or a limit has been reached.",
    "WBEM_E_TRANSACTION_CONFLICT": "The operation conflicts with another transaction.",
    "WBEM_E_FORCED_ROLLBACK": "The transaction was rolled back.",
    "WBEM_E_UNSUPPORTED_LOCALE": "The locale is not supported.",
    "WBEM_E_HANDLE_OUT_OF_DATE": "The handle is out of date.",
    "WBEM_E_CONNECTION_FAILED": "The connection to the database failed.",
    "WBEM_E_INVALID_HANDLE_REQUEST": "The handle cannot be used for this request.",
    "WBEM_E_PROPERTY_NAME_TOO_WIDE": "The property name has more than 255 characters.",
    "WBEM_E_CLASS_NAME_TOO_WIDE": "The class name has more than 255 characters.",
    "WBEM_E_METHOD_NAME_TOO_WIDE": "The method name has more than 255 characters.",
    "WBEM_E_QUALIFIER_NAME_TOO_WIDE": "The qualifier name has more than 255 characters.",
    "WBEM_E_RERUN_COMMAND": "The command has to be run again.",
    "WBEM_E_DATABASE_VER_MISMATCH": "The repository was written by another version.",
    "WBEM_E_VETO_DELETE": "A provider forbids the deletion.",
    "WBEM_E_VETO_PUT": "A provider forbids the change.",
    "WBEM_E_INVALID_LOCALE": "The locale is not valid.",
    "WBEM_E_PROVIDER_SUSPENDED": "The provider is suspended.",
    "WBEM_E_SYNCHRONIZATION_REQUIRED": "The repositories have to be synchronised first.",
    "WBEM_E_NO_SCHEMA": "There is no schema for the operation.",
    "WBEM_E_PROVIDER_ALREADY_REGISTERED": "The provider is registered already.",
    "WBEM_E_PROVIDER_NOT_REGISTERED": "The provider is not registered.",
    "WBEM_E_FATAL_TRANSPORT_ERROR": "The network connection was lost for good.",
    "WBEM_E_ENCRYPTED_CONNECTION_REQUIRED": "The operation is allowed over an encrypted connection only.",
    "WBEM_E_PROVIDER_TIMED_OUT": "The provider took too long.",
    "WBEM_E_NO_KEY": "The instance cannot be stored, because its class has no key.",
    "WBEM_E_PROVIDER_DISABLED": "The provider is disabled.",
    "WBEM_E_RETRY_LATER": "The resource is not available now; try again later.",
    "WBEM_E_RESOURCE_CONTENTION": "The resource is in use by another call; try again later.",
    "WBEMESS_E_REGISTRATION_TOO_BROAD": "The event query covers more than the provider can report.",
    "WBEMESS_E_REGISTRATION_TOO_PRECISE": (
        "The event query needs a WITHIN clause, because nobody reports these events unasked."
    ),
    "WBEMESS_E_AUTHZ_NOT_PRIVILEGED": "The host lacks the rights to check the caller's group memberships.",
    "WBEMMOF_E_EXPECTED_QUALIFIER_NAME": "A qualifier name is expected.",
    "WBEMMOF_E_EXPECTED_SEMI": "A semicolon or '=' is expected.",
    "WBEMMOF_E_EXPECTED_OPEN_BRACE": "An opening brace is expected.",
    "WBEMMOF_E_EXPECTED_CLOSE_BRACE": "A closing brace or a comma is expected.",
    "WBEMMOF_E_EXPECTED_CLOSE_BRACKET": "A closing bracket or a comma is expected.",
    "WBEMMOF_E_EXPECTED_CLOSE_PAREN": "A closing parenthesis is expected.",
    "WBEMMOF_E_ILLEGAL_CONSTANT_VALUE": "The constant is not valid.",
    "WBEMMOF_E_EXPECTED_TYPE_IDENTIFIER": "The name of a type is expected.",
    "WBEMMOF_E_EXPECTED_OPEN_PAREN": "An opening parenthesis is expected.",
    "WBEMMOF_E_UNRECOGNIZED_TOKEN": "The text has no meaning in this place.",
    "WBEMMOF_E_UNRECOGNIZED_TYPE": "The type is not known.",
    "WBEMMOF_E_EXPECTED_PROPERTY_NAME": "The name of a property is expected.",
    "WBEMMOF_E_TYPEDEF_NOT_SUPPORTED": "Type definitions and enumerations are not supported.",
    "WBEMMOF_E_UNEXPECTED_ALIAS": "An alias is not allowed in this place.",
    "WBEMMOF_E_UNEXPECTED_ARRAY_INIT": "A list of values is not allowed in this place.",
    "WBEMMOF_E_INVALID_AMENDMENT_SYNTAX": "The amendment pragma is malformed.",
    "WBEMMOF_E_INVALID_DUPLICATE_AMENDMENT": "The amendment pragma is given more than once.",
    "WBEMMOF_E_INVALID_PRAGMA": "The pragma is not valid.",
    "WBEMMOF_E_INVALID_NAMESPACE_SYNTAX": "The namespace pragma is malformed.",
    "WBEMMOF_E_EXPECTED_CLASS_NAME": "The name of a class is expected.",
    "WBEMMOF_E_TYPE_MISMATCH": "The value does not have the type that was declared.",
    "WBEMMOF_E_EXPECTED_ALIAS_NAME": "The name of an alias is expected.",
    "WBEMMOF_E_INVALID_CLASS_DECLARATION": "The class declaration is not valid.",
    "WBEMMOF_E_INVALID_INSTANCE_DECLARATION": "The instance declaration is not valid.",
    "WBEMMOF_E_EXPECTED_DOLLAR": "A '$' is expected.",
    "WBEMMOF_E_CIMTYPE_QUALIFIER": "The CIMTYPE qualifier cannot be given in MOF.",
    "WBEMMOF_E_DUPLICATE_PROPERTY": "The property is declared twice.",
    "WBEMMOF_E_INVALID_NAMESPACE_SPECIFICATION": "The namespace is malformed.",
    "WBEMMOF_E_OUT_OF_RANGE": "The number does not fit its type.",
    "WBEMMOF_E_INVALID_FILE": "The file cannot be read or is not a MOF file.",
    "WBEMMOF_E_ALIASES_IN_EMBEDDED": "An alias is not allowed inside an embedded object.",
    "WBEMMOF_E_NULL_ARRAY_ELEM": "An array cannot hold NULL.",
    "WBEMMOF_E_DUPLICATE_QUALIFIER": "The qualifier is given twice.",
    "WBEMMOF_E_EXPECTED_FLAVOR_TYPE": "A qualifier flavor is expected.",
    "WBEMMOF_E_INCOMPATIBLE_FLAVOR_TYPES": "The flavors of the qualifier contradict each other.",
    "WBEMMOF_E_MULTIPLE_ALIASES": "An object can have one alias only.",
    "WBEMMOF_E_INCOMPATIBLE_FLAVOR_TYPES2": "The flavors of the qualifier contradict each other.",
    "WBEMMOF_E_NO_ARRAYS_RETURNED": "A method cannot return an array.",
    "WBEMMOF_E_MUST_BE_IN_OR_OUT": "A method parameter needs the qualifier In, Out or both.",
    "WBEMMOF_E_INVALID_FLAGS_SYNTAX": "The flags pragma is malformed.",
    "WBEMMOF_E_EXPECTED_BRACE_OR_BAD_TYPE": "A brace is expected, or the type is not valid.",
    "WBEMMOF_E_UNSUPPORTED_CIMV22_QUAL_VALUE": "The value of the qualifier is not supported.",
    "WBEMMOF_E_UNSUPPORTED_CIMV22_DATA_TYPE": "The data type is not supported.",
    "WBEMMOF_E_INVALID_DELETEINSTANCE_SYNTAX": "The deleteinstance pragma is malformed.",
    "WBEMMOF_E_INVALID_QUALIFIER_SYNTAX": "The qualifier declaration is malformed.",
    "WBEMMOF_E_QUALIFIER_USED_OUTSIDE_SCOPE": "The qualifier is not allowed in this place.",
    "WBEMMOF_E_ERROR_CREATING_TEMP_FILE": "A temporary file could not be created.",
    "WBEMMOF_E_ERROR_INVALID_INCLUDE_FILE": "The included file cannot be read.",
    "WBEMMOF_E_INVALID_DELETECLASS_SYNTAX": "The deleteclass pragma is malformed.",
    "E_NOTIMPL": "The operation is not implemented.",
    "E_NOINTERFACE": "The object does not have this interface.",
    "E_POINTER": "A pointer is NULL.",
    "E_ABORT": "The operation was aborted.",
    "E_FAIL": "The operation failed for a reason that was not given.",
    "E_UNEXPECTED": "The component failed in an unexpected way.",
    "RPC_E_CALL_CANCELED": "The call was cancelled by its caller.",
    "RPC_E_SERVER_DIED": "The server died during the call.",
    "RPC_E_SERVERFAULT": "The server raised an exception.",
    "RPC_E_CHANGED_MODE": "COM was initialised in another threading mode.",
    "RPC_E_DISCONNECTED": "The object on the server has gone; the connection to it is no longer valid.",
    "RPC_E_VERSION_MISMATCH": "The other side speaks another version of DCOM.",
    "RPC_E_TOO_LATE": "Security was initialised before and cannot be changed.",
    "RPC_E_ACCESS_DENIED": "The other side refuses calls of this identity or protection level.",
    "CO_E_NOTINITIALIZED": "CoInitializeEx has not been called.",
    "CLASS_E_NOAGGREGATION": "The class cannot be aggregated.",
    "REGDB_E_CLASSNOTREG": "The COM class is not registered.",
    "E_ACCESSDENIED": "Access is denied.",
    "E_HANDLE": "The handle is not valid.",
    "E_OUTOFMEMORY": "There is not enough memory.",
    "E_INVALIDARG": "An argument is not valid.",
    "ERROR_KEY_DELETED": "The registry key that the server works with has been unloaded.",
    "ERROR_LOGON_FAILURE": "The user name is unknown or the password is wrong.",
    "ERROR_ACCOUNT_RESTRICTION": "The account may not log on in this way.",
    "ERROR_PASSWORD_EXPIRED": "The password has expired.",
    "ERROR_ACCOUNT_LOCKED_OUT": "The account is locked.",
    "RPC_S_UNKNOWN_AUTHN_SERVICE": "The authentication service is unknown to the server.",
    "RPC_S_UNKNOWN_IF": "The server does not have this RPC interface.",
    "RPC_S_SERVER_UNAVAILABLE": "The RPC server cannot be reached.",
    "RPC_S_SERVER_TOO_BUSY": "The RPC server is too busy.",
    "RPC_S_CALL_FAILED": "The connection broke during the call.",
    "RPC_S_CALL_FAILED_DNE": "The connection broke before the call ran.",
    "RPC_S_PROTOCOL_ERROR": "The server broke the rules of RPC.",
    "RPC_S_PROCNUM_OUT_OF_RANGE": "The server does not know this procedure.",
    "RPC_S_CALL_CANCELLED": "The remote call was cancelled.",
    "RPC_S_SEC_PKG_ERROR": "The security package failed.",
    "EPT_S_NOT_REGISTERED": "The endpoint mapper knows no endpoint for this interface.",
    "RPC_X_BAD_STUB_DATA": "The other side could not read what it received.",
    "ERROR_NTLM_BLOCKED": "The server does not accept NTLM.",
    "CO_E_SERVER_STOPPING": "The server is stopping.",
    "CO_E_SERVER_EXEC_FAILURE": "The server could not be started.",
    "SEC_E_UNSUPPORTED_FUNCTION": "The security package does not support this.",
    "SEC_E_TARGET_UNKNOWN": "The target of the authentication is unknown.",
    "SEC_E_INVALID_TOKEN": "The authentication token is not valid.",
    "SEC_E_LOGON_DENIED": "The user name is unknown or the password is wrong.",
    "SEC_E_NO_CREDENTIALS": "There are no credentials to authenticate with.",
    "SEC_E_MESSAGE_ALTERED": "A message was altered on its way.",
    "SEC_E_TIME_SKEW": "The clocks of client and server differ too much for Kerberos.",
    "STATUS_ACCESS_DENIED": "Access is denied.",
    "STATUS_LOGON_FAILURE": "The user name is unknown or the password is wrong.",
    "STATUS_ACCOUNT_RESTRICTION": "The account may not log on in this way.",
    "STATUS_NTLM_BLOCKED": "The server does not accept NTLM.",
}

# Symbol -> what to try next, for the codes that make up nearly all reports (interfaces.md A2).
HINTS: Final[dict[str, str]] = {
    "REGDB_E_CLASSNOTREG": "that host has no WMI: the service is not installed, or this is another DCOM server",
    "RPC_S_PROTOCOL_ERROR": "what answers there does not speak this protocol as it should: check host and port, and"
    " with --trace FILE what it sent",
    "RPC_S_SEC_PKG_ERROR": 'the log-on broke off: try auth="ntlm" or auth="kerberos" instead of negotiating',
    "RPC_S_UNKNOWN_AUTHN_SERVICE": 'that host does not take this kind of log-on: try auth="ntlm" or auth="kerberos"',
    "RPC_S_UNKNOWN_IF": "that port serves something else: WMI is reached through 135, or the port of OpenWMI",
    "RPC_X_BAD_STUB_DATA": "one side cannot read what the other sends: --trace FILE shows it; please report it",
    "SEC_E_MESSAGE_ALTERED": "somebody changes messages on the way, or the two sides lost step: connect again",
    "SEC_E_NO_CREDENTIALS": "give user and password (file, environment or keyboard), or get a ticket with kinit",
    "WBEM_E_ENCRYPTED_CONNECTION_REQUIRED": 'use auth_level="privacy": this namespace takes nothing less',
    "WBEM_E_TIMED_OUT": "allow more time with timeout, or ask for less; `openwmi doctor HOST` tells who answers",
    "RPC_S_SERVER_UNAVAILABLE": (
        "check the name, that TCP port 135 and the dynamic ports are open in the firewall, and "
        "that the WMI service runs; `openwmi doctor HOST` shows how far one gets"
    ),
    "RPC_S_CALL_FAILED": (
        "a firewall or the service ended the connection: try again, then `openwmi doctor HOST`"
    ),
    "EPT_S_NOT_REGISTERED": (
        "the WMI service is not running there, or its endpoint has not been registered yet"
    ),
    "E_ACCESSDENIED": (
        "DCOM refused the account before WMI was asked: it needs remote launch and activation "
        "rights; a local account of the remote host also needs LocalAccountTokenFilterPolicy"
    ),
    "RPC_E_ACCESS_DENIED": (
        'since KB5004442 activation needs packet integrity: use auth_level="integrity" or "privacy"'
    ),
    "WBEM_E_ACCESS_DENIED": (
        "the account needs the right on this namespace: there `openwmi sec show NAMESPACE` lists the rights and "
        "`openwmi sec grant NAMESPACE USER RIGHT` gives one; remote callers need remote-enable"
    ),
    "WBEM_E_INVALID_NAMESPACE": "`openwmi ls` lists the namespaces; the usual one is root\\cimv2",
    "WBEM_E_INVALID_CLASS": (
        "`openwmi find PATTERN` searches the classes; the class may live in another namespace"
    ),
    "WBEM_E_INVALID_QUERY": (
        "check the names against `openwmi describe CLASS`; texts are quoted, and a backslash "
        "inside them is doubled"
    ),
    "WBEM_E_NOT_FOUND": (
        "check the spelling of the path and the value of each key; `openwmi ls CLASS` lists the paths"
    ),
    "WBEM_E_PROVIDER_LOAD_FAILURE": (
        "the provider of this class does not start on that host; its registration or its "
        "libraries are damaged"
    ),
    "WBEM_E_INITIALIZATION_FAILURE": (
        "restart the WMI service of that host; when that does not help, verify its repository"
    ),
    "WBEM_E_PRIVILEGE_NOT_HELD": (
        "enable the privilege that the class or method names in its Privileges qualifier, or "
        "run with more rights"
    ),
    "WBEM_E_LOCAL_CREDENTIALS": "leave user and password out: a local connection runs as the current user",
    "WBEM_E_QUOTA_VIOLATION": (
        "shorten the request or end other calls and subscriptions; the message names the limit"
    ),
    "RPC_E_DISCONNECTED": "the server dropped the object, often after a restart: connect again",
    "ERROR_KEY_DELETED": (
        "the profile that the remote service works with was unloaded: restart the WMI service "
        "there or connect again"
    ),
    "STATUS_ACCESS_DENIED": (
        "the account may not log on over the network there, or its rights are filtered: see "
        "LocalAccountTokenFilterPolicy"
    ),
    "STATUS_LOGON_FAILURE": "check user, domain and password",
    "SEC_E_LOGON_DENIED": (
        "check user, domain and password; write a local account of the host as HOST\\user"
    ),
    "ERROR_LOGON_FAILURE": "check user, domain and password",
    "SEC_E_TIME_SKEW": "set the clock: Kerberos allows a difference of five minutes",
    "ERROR_NTLM_BLOCKED": 'NTLM is disabled by policy: use auth="kerberos" and the full host name',
    "STATUS_NTLM_BLOCKED": 'NTLM is disabled by policy: use auth="kerberos" and the full host name',
    "WBEM_E_TRANSPORT_FAILURE": (
        "for events and asynchronous calls the host must be able to connect back: open the port "
        'of the callback, or use delivery="poll"'
    ),
    "WBEM_E_CALL_CANCELLED": "the call was cancelled, its sink failed, or it did not answer in time",
    "WBEM_E_PROVIDER_NOT_CAPABLE": (
        "this class cannot do that: `openwmi describe CLASS` shows what it offers"
    ),
    "WBEM_E_INVALID_OBJECT_PATH": (
        "a path reads CLASS.KEY=\"value\"; there is no space around '=' and a backslash in a value is doubled"
    ),
    "WBEMESS_E_REGISTRATION_TOO_PRECISE": "add a WITHIN clause, for instance WITHIN 2",
}
