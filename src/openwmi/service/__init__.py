"""The service: namespaces, query execution, delivery into sinks, security and quotas of one running host."""
