//! AuthorizationPolicies at the provider.
