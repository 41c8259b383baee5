//! What each topic means for people: what would change, and what to do. Pure.

use super::finding::Topic;

impl Topic {
    /// Whether calls of today change by it.
    pub fn changes_calls(self) -> bool {
        match self {
            Self::Tags
            | Self::Picks
            | Self::Callbacks
            | Self::MixedProviders
            | Self::Rules
            | Self::SharedHosts
            | Self::OtherProtocols
            | Self::BrokenServices => true,
            Self::HeadlessServices
            | Self::KeptTags
            | Self::Balance
            | Self::SharedPorts
            | Self::OtherPorts
            | Self::NotPublished
            | Self::FewerNamespaces
            | Self::AlteredNames
            | Self::UnknownWorkloads => false,
        }
    }

    /// The headline.
    pub fn title(self) -> &'static str {
        match self {
            Self::Tags => "Tags",
            Self::Picks => "Consumers that pick for themselves",
            Self::Callbacks => "Callbacks",
            Self::MixedProviders => "Providers that cannot take each other's calls",
            Self::Rules => "Routing rules of the registry",
            Self::SharedHosts => "Services with the host of another one",
            Self::OtherProtocols => "Not Dubbo, on the same number",
            Self::BrokenServices => "Kubernetes services of the number that would break",
            Self::HeadlessServices => "Headless services that take the connection first",
            Self::KeptTags => "Tagged providers",
            Self::Balance => "Load balancing",
            Self::SharedPorts => "Dubbo and another protocol at one address",
            Self::OtherPorts => "Providers of these services on other ports",
            Self::NotPublished => "Providers that the mesh does not know",
            Self::FewerNamespaces => "Services that fewer namespaces would see",
            Self::AlteredNames => "Hosts with a hash",
            Self::UnknownWorkloads => "Addresses that no rule of `workloads` speaks of",
        }
    }

    /// What would change.
    pub fn effect(self) -> &'static str {
        match self {
            Self::Tags => {
                "Dubbo calls a tagged provider only for its tag. A tag that stands in a consumer's URL is \
                 not sent with its calls, so to the mesh they would have none; and where `tagRoutes: \
                 false` stands in `overrides`, tagged providers would get calls without the tag, and \
                 calls with it could go to any provider."
            }
            Self::Picks => {
                "The consumer decides which provider, or how many, a call is for. The sidecar would \
                 send each of its calls to a provider of the mesh's own choice: a broadcast could \
                 reach one provider twice and another never, a hash or a sticky call would not find \
                 its provider again."
            }
            Self::Callbacks => {
                "The provider calls back over the consumer's own connection. Behind the sidecar there \
                 is none: each call is a request of its own, and callbacks and stub events would not \
                 arrive."
            }
            Self::MixedProviders => {
                "The consumer makes a call for the provider that it picked: with its token, to its \
                 path, in a serialization that it reads. The sidecar could send it to another provider \
                 of the service, which would refuse it or could not read it."
            }
            Self::Rules => {
                "The rule is obeyed in the consumer, before the sidecar; whatever it picks, the \
                 sidecar would pick again."
            }
            Self::SharedHosts => {
                "The mesh routes by host, so calls of this service would go to the providers of the \
                 other one."
            }
            Self::OtherProtocols => {
                "A port in http2 mode is Dubbo's alone: these would no longer be published, and who \
                 calls them by host would lose them."
            }
            Self::BrokenServices => {
                "With `filter.clusterMatch: port` every cluster of the number would speak Dubbo, so \
                 connections to these services would fail at once."
            }
            Self::HeadlessServices => {
                "istiod makes a listener for each pod of such a service. It takes the SDK's \
                 connection before the port's own listener does: these calls would stay TCP, as \
                 today, and no route would apply to them."
            }
            Self::KeptTags => {
                "A DestinationRule and a VirtualService of ours keep Dubbo's rule: a call goes to the \
                 providers of its tag, one without a tag never to a tagged provider. A VirtualService \
                 of yours for the same host would not be asked, or take their place, as both are exported."
            }
            Self::Balance => {
                "Calls would be balanced by the sidecar (LEAST_REQUEST by default, weights obeyed), \
                 not as asked for here."
            }
            Self::SharedPorts => {
                "Dubbo has the number. Calls of the other protocol to the address would pass through \
                 as today; to the host they would not be answered any more."
            }
            Self::OtherPorts => {
                "Calls that the SDK sends there would stay outside of the mesh's routes; calls that it \
                 sends to this port could be balanced to published ones of them too."
            }
            Self::NotPublished => {
                "The SDK may pick them, but the sidecar would send those calls to the published \
                 providers of the service; only where there is none they would still reach these."
            }
            Self::FewerNamespaces => {
                "Services with a port in http2 mode are seen in the namespaces of its list only. Who \
                 dials the host in another namespace would lose it; calls to addresses would not \
                 change."
            }
            Self::AlteredNames => {
                "DNS cannot carry the original name; routes have to name the host that stands here."
            }
            Self::UnknownWorkloads => {
                "Nobody said whether these are in the mesh, so they would be called in plain text, as \
                 today: a provider that insists on mutual TLS would refuse it, and policies see no \
                 identity."
            }
        }
    }

    /// What to do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Tags => {
                "Leave the choice to the SDK, which obeys tags as today: `pick: sdk` for these \
                 interfaces in `overrides`. Or publish, before the switch, a DestinationRule with a \
                 subset for each value of the label `tag` (`untagged` where there is none) and a \
                 VirtualService that routes by the header `dubbo.tag`, and the calls of consumers with \
                 a tag in their URL by `sourceLabels`."
            }
            Self::Picks => {
                "Leave the choice to the SDK: `pick: sdk` for these interfaces in `overrides`; their \
                 calls are routed by host and go where they are dialled. Or leave the module away from \
                 the sidecars of these consumers. A hash can be made by the mesh instead: a \
                 DestinationRule with `consistentHash` over a header."
            }
            Self::Callbacks => {
                "Name the addresses of all providers of these services in `except` of the port's list \
                 in `ports.http2`: connections to them pass as they are, whatever else is called there. \
                 Where the setting is left over and nobody uses it, remove it."
            }
            Self::MixedProviders => {
                "Make them alike before the switch: one token for all providers of the service \
                 (`token=true` makes one for each), one path, and `serialization` and \
                 `prefer.serialization` set to what all of them read. Or leave the choice to the SDK: \
                 `pick: sdk` in `overrides`."
            }
            Self::Rules => {
                "Leave the choice to the SDK, which obeys the rule as today: `pick: sdk` for the \
                 interfaces in `overrides`. Or write the rule as a VirtualService and a DestinationRule \
                 before the switch, and take it out of the registry afterwards."
            }
            Self::KeptTags => {
                "Nothing, unless you route these hosts yourself: then say `tagRoutes: false` in \
                 `overrides`, and keep the rule in your routes."
            }
            Self::SharedHosts => {
                "Give one of the two another name, group or version, or another port."
            }
            Self::OtherProtocols => {
                "Give the other protocol a port of its own; Triple and gRPC can be routed there, by \
                 `filter.triple`."
            }
            Self::BrokenServices => {
                "Give these services another port number; or set `filter.clusterMatch: host`. Where a \
                 headless service is the Dubbo application's own, set `appProtocol: http2` on its port."
            }
            Self::HeadlessServices => "Set `appProtocol: http2` on the port of these services.",
            Self::Balance => {
                "Where it matters, publish a DestinationRule with `trafficPolicy.loadBalancer`."
            }
            Self::SharedPorts => {
                "Where somebody calls the host, or the calls are to be routed (`filter.triple`), give the \
                 other protocol a port of its own."
            }
            Self::OtherPorts => {
                "List these ports too, and switch them together; ports that may not become listeners \
                 have to be added to `ports.listen` first."
            }
            Self::NotPublished => "What stands there; `dubbo-mesh convert` names all of them.",
            Self::FewerNamespaces => "List every namespace that calls the services by host.",
            Self::AlteredNames => "Nothing, unless you write routes for them.",
            Self::UnknownWorkloads => {
                "Say so in `workloads`: `{cidrs: […], inMesh: true}`, or `false`."
            }
        }
    }
}
