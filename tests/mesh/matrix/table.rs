//! The combinations that are tried: each pair of choices that can be stands in one of them, and each pair
//! of versions where the filter routes it; `coverage.rs` computes that.

use support::DubboVersion::{self, V2_6, V2_7, V3_1, V3_2, V3_3};

use super::combination::Combination;
use super::combination::Dials::{self, Provider, Service};
use super::combination::End::{self, Bare, Filter, Sidecar};
use super::combination::Mode::{self, Http2, Tcp};
use super::combination::Mtls::{self, Permissive, Strict};
use super::combination::Serialization::{self, Fastjson2, Hessian2};

/// Consumer, provider, serialization; what stands beside the consumer and beside the provider; the
/// mode of the port, what the provider's sidecar takes, and what the consumer dials.
#[rustfmt::skip]
pub(super) const TABLE: [Combination; 41] = [
    row(V2_6, V2_6, Hessian2, Filter, Bare, Http2, Permissive, Provider),
    row(V2_6, V2_7, Hessian2, Filter, Sidecar, Http2, Strict, Provider),
    row(V2_6, V3_1, Hessian2, Filter, Sidecar, Http2, Strict, Provider),
    row(V2_6, V3_1, Hessian2, Bare, Sidecar, Http2, Permissive, Provider),
    row(V2_6, V3_2, Hessian2, Filter, Sidecar, Http2, Permissive, Provider),
    row(V2_6, V3_2, Hessian2, Sidecar, Filter, Tcp, Permissive, Service),
    row(V2_6, V3_3, Hessian2, Filter, Filter, Http2, Strict, Provider),
    row(V2_7, V2_6, Hessian2, Filter, Filter, Http2, Permissive, Provider),
    row(V2_7, V2_6, Hessian2, Filter, Sidecar, Http2, Strict, Service),
    row(V2_7, V2_6, Hessian2, Bare, Filter, Tcp, Permissive, Provider),
    row(V2_7, V2_7, Hessian2, Filter, Bare, Http2, Permissive, Provider),
    row(V2_7, V2_7, Hessian2, Sidecar, Bare, Http2, Permissive, Provider),
    row(V2_7, V3_1, Hessian2, Filter, Bare, Http2, Permissive, Provider),
    row(V2_7, V3_2, Hessian2, Filter, Sidecar, Http2, Strict, Provider),
    row(V2_7, V3_3, Hessian2, Filter, Filter, Http2, Strict, Provider),
    row(V3_1, V2_6, Hessian2, Filter, Bare, Http2, Permissive, Provider),
    row(V3_1, V2_7, Hessian2, Filter, Sidecar, Http2, Strict, Provider),
    row(V3_1, V3_1, Hessian2, Filter, Filter, Http2, Strict, Provider),
    row(V3_1, V3_1, Hessian2, Sidecar, Bare, Tcp, Permissive, Service),
    row(V3_1, V3_2, Hessian2, Filter, Sidecar, Http2, Strict, Provider),
    row(V3_1, V3_2, Hessian2, Bare, Bare, Http2, Permissive, Provider),
    row(V3_1, V3_3, Hessian2, Filter, Filter, Http2, Permissive, Provider),
    row(V3_2, V2_6, Hessian2, Filter, Sidecar, Http2, Strict, Provider),
    row(V3_2, V2_7, Hessian2, Filter, Sidecar, Http2, Permissive, Provider),
    row(V3_2, V2_7, Hessian2, Bare, Bare, Http2, Permissive, Provider),
    row(V3_2, V3_1, Hessian2, Filter, Sidecar, Http2, Strict, Provider),
    row(V3_2, V3_2, Fastjson2, Filter, Filter, Http2, Strict, Provider),
    row(V3_2, V3_2, Hessian2, Filter, Filter, Http2, Strict, Provider),
    row(V3_2, V3_3, Fastjson2, Filter, Bare, Http2, Permissive, Provider),
    row(V3_2, V3_3, Fastjson2, Sidecar, Sidecar, Tcp, Strict, Service),
    row(V3_2, V3_3, Hessian2, Filter, Sidecar, Http2, Permissive, Provider),
    row(V3_3, V2_6, Hessian2, Filter, Sidecar, Http2, Strict, Provider),
    row(V3_3, V2_6, Hessian2, Sidecar, Filter, Tcp, Permissive, Provider),
    row(V3_3, V2_7, Hessian2, Filter, Filter, Tcp, Strict, Service),
    row(V3_3, V2_7, Hessian2, Filter, Bare, Http2, Permissive, Provider),
    row(V3_3, V3_1, Hessian2, Filter, Filter, Http2, Strict, Provider),
    row(V3_3, V3_2, Fastjson2, Filter, Sidecar, Http2, Permissive, Provider),
    row(V3_3, V3_2, Hessian2, Filter, Bare, Http2, Permissive, Provider),
    row(V3_3, V3_3, Fastjson2, Filter, Filter, Http2, Permissive, Provider),
    row(V3_3, V3_3, Fastjson2, Bare, Bare, Http2, Permissive, Provider),
    row(V3_3, V3_3, Hessian2, Filter, Sidecar, Http2, Permissive, Provider),
];

#[expect(clippy::too_many_arguments, reason = "the columns of a table")]
const fn row(
    consumer: DubboVersion,
    provider: DubboVersion,
    serialization: Serialization,
    caller: End,
    callee: End,
    mode: Mode,
    mtls: Mtls,
    dials: Dials,
) -> Combination {
    Combination {
        consumer,
        provider,
        serialization,
        caller,
        callee,
        mode,
        mtls,
        dials,
    }
}
