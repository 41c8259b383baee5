//! Further network namespaces, for pods with addresses of their own.
//!
//! ```text
//! the test's own namespace: lo, mesh0 10.77.0.254
//!      │ bridge
//!      ├── "caller"   lo, eth0 10.77.0.1
//!      └── "provider" lo, eth0 10.77.0.2
//! ```
//!
//! Their names live in the test's own `/run/netns` (see `isolation.rs`), so
//! every test can use the same ones, and they are gone with the test.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The address of the test's own namespace on the bridge.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

/// The user that a sidecar runs as; its own connections are not redirected.
pub const SIDECAR_USER: u32 = 1337;

/// A namespace with one address.
#[derive(Debug, Clone)]
pub struct Namespace {
    name: String,
    address: Ipv4Addr,
}

impl Namespace {
    /// A namespace `name` (at most 12 letters) with the address 10.77.0.`host`,
    /// that reaches the test's own and all others.
    ///
    /// # Panics
    /// If the kernel refuses.
    #[must_use]
    pub fn new(name: &str, host: u8) -> Self {
        let address = Ipv4Addr::new(10, 77, 0, host);
        let bridge = format!(
            "ip link show mesh0 >/dev/null 2>&1 || {{ ip link add mesh0 type bridge && \
             ip addr add {GATEWAY}/24 dev mesh0 && ip link set mesh0 up; }}"
        );
        run(Command::new("sh").args(["-ec", &bridge]));
        let script = format!(
            "ip netns add {name}
             ip -n {name} link set lo up
             ip -n {name} link add eth0 type veth peer name v-{name} netns {pid}
             ip -n {name} addr add {address}/24 dev eth0
             ip -n {name} link set eth0 up
             ip link set v-{name} master mesh0
             ip link set v-{name} up
             ip -n {name} route add default via {GATEWAY}",
            pid = std::process::id(),
        );
        run(Command::new("sh").args(["-ec", &script]));
        Self {
            name: name.to_owned(),
            address,
        }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The rules that istio-init writes into a pod: outbound TCP to 15001,
    /// inbound to 15006, except what [`SIDECAR_USER`] sends.
    ///
    /// # Panics
    /// If iptables is missing or refuses.
    pub fn redirect_to_sidecar(&self) {
        let script = format!(
            "ip netns exec {} iptables-restore <<'EOF'\n{ISTIO_INIT}EOF",
            self.name
        );
        run(Command::new("sh").args(["-ec", &script]));
    }

    /// Connects as a process inside would: a thread goes there, and a socket stays where it was made.
    ///
    /// # Panics
    /// If nobody listens.
    #[must_use]
    pub fn connect(&self, server: SocketAddr) -> TcpStream {
        let namespace = File::open(Path::new("/run/netns").join(&self.name)).expect("its name");
        let connect = move || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), network).expect("to enter it");
            TcpStream::connect(server).expect("a listener")
        };
        thread::spawn(connect).join().expect("a connection")
    }

    /// A further address, 10.77.0.`host`, that [`redirect_to_sidecar`](Self::redirect_to_sidecar)
    /// before it does not redirect: to everybody else what listens there is in a pod without a sidecar.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn bare_address(&self, host: u8) -> Ipv4Addr {
        let address = Ipv4Addr::new(10, 77, 0, host);
        let name = &self.name;
        let script = format!(
            "ip -n {name} addr add {address}/24 dev eth0
             ip netns exec {name} iptables -t nat -I ISTIO_INBOUND -d {address} -p tcp -j RETURN"
        );
        run(Command::new("sh").args(["-ec", &script]));
        address
    }

    /// `command`, inside.
    #[must_use]
    pub fn enter(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside
            .args(["netns", "exec", &self.name])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            inside.current_dir(dir);
        }
        inside
    }
}

/// Runs a command of the set-up.
fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// As istio-init writes them in its REDIRECT mode, without the DNS part.
const ISTIO_INIT: &str = "*nat
:ISTIO_INBOUND - [0:0]
:ISTIO_REDIRECT - [0:0]
:ISTIO_IN_REDIRECT - [0:0]
:ISTIO_OUTPUT - [0:0]
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A PREROUTING -p tcp -j ISTIO_INBOUND
-A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN
-A ISTIO_INBOUND -p tcp --dport 15020 -j RETURN
-A ISTIO_INBOUND -p tcp --dport 15021 -j RETURN
-A ISTIO_INBOUND -p tcp --dport 15090 -j RETURN
-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
-A OUTPUT -p tcp -j ISTIO_OUTPUT
-A ISTIO_OUTPUT -s 127.0.0.6/32 -o lo -j RETURN
-A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -p tcp -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN
-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN
-A ISTIO_OUTPUT -j ISTIO_REDIRECT
COMMIT
";
