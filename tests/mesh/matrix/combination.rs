//! What a call between two Dubbo applications depends on, and which choices exclude each other.
//! Knows no server.

use support::DubboVersion;

/// How the arguments are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Serialization {
    Hessian2,
    Fastjson2,
}

impl Serialization {
    /// As Dubbo and the filter write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hessian2 => "hessian2",
            Self::Fastjson2 => "fastjson2",
        }
    }
}

/// What stands beside an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum End {
    /// No sidecar.
    Bare,
    /// A sidecar: at the caller's without our module, at the provider's without anything of ours on
    /// the port.
    Sidecar,
    /// A sidecar with our filter on the port.
    Filter,
}

/// What `dubbo-mesh` makes of the provider's port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Mode {
    Tcp,
    Http2,
}

/// What the provider's sidecar takes on the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Mtls {
    /// Plain text too.
    Permissive,
    Strict,
}

/// What the consumer connects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Dials {
    /// The provider that its SDK found in the registry.
    Provider,
    /// The virtual address of the service, as the URL of its reference.
    Service,
}

/// One choice of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Combination {
    pub(super) consumer: DubboVersion,
    pub(super) provider: DubboVersion,
    pub(super) serialization: Serialization,
    /// The end of the consumer.
    pub(super) caller: End,
    /// The end of the provider.
    pub(super) callee: End,
    pub(super) mode: Mode,
    pub(super) mtls: Mtls,
    pub(super) dials: Dials,
}

impl Combination {
    /// Why it cannot be, if it cannot.
    pub(super) fn infeasible(&self) -> Option<&'static str> {
        let fastjson2 = [DubboVersion::V3_2, DubboVersion::V3_3];
        let has_it = |version| fastjson2.contains(&version);
        let filtered = self.mode == Mode::Http2 && self.caller == End::Filter;
        if self.serialization == Serialization::Fastjson2
            && !(has_it(self.consumer) && has_it(self.provider))
        {
            return Some("both ends take fastjson2 by themselves from Dubbo 3.2 on");
        }
        if self.dials == Dials::Service && self.caller == End::Bare {
            return Some("without a sidecar nobody has the virtual address");
        }
        if self.dials == Dials::Service && self.mode == Mode::Http2 && !filtered {
            return Some("only the filter brings Dubbo to the routes of a port in http2 mode");
        }
        if self.mtls == Mtls::Strict && self.callee == End::Bare {
            return Some("without a sidecar nobody asks for mutual TLS");
        }
        if self.mtls == Mtls::Strict && self.caller == End::Bare {
            return Some("without a sidecar the caller has no certificate");
        }
        if self.mtls == Mtls::Strict && self.dials == Dials::Provider && !filtered {
            return Some("what passes through to the address that was dialled is plain text");
        }
        None
    }

    /// Whether its calls are routed one by one, by what they say.
    pub(super) fn is_routed(&self) -> bool {
        self.mode == Mode::Http2 && self.caller == End::Filter
    }

    /// Its choices, by name.
    pub(super) fn choices(&self) -> [String; 8] {
        [
            format!("consumer {:?}", self.consumer),
            format!("provider {:?}", self.provider),
            format!("{:?}", self.serialization),
            format!("caller {:?}", self.caller),
            format!("callee {:?}", self.callee),
            format!("{:?}", self.mode),
            format!("{:?}", self.mtls),
            format!("dials {:?}", self.dials),
        ]
    }
}
