//! The listener filter `dubbo_sniff`: tells Envoy which connections speak Dubbo.
//!
//! istiod's outbound HTTP chain takes `http/1.1` and `h2c` alone, and Dubbo looks like neither. Marked as
//! `h2c` it comes into that chain, where `dubbo_to_http2` makes HTTP/2 of it. Whatever else comes is left
//! to the other listener filters and to Envoy's own choice.
//!
//! It waits for the client's first byte, and for a second one only behind `da`, so it never keeps a
//! connection of another protocol waiting for more than Envoy's own inspectors do. A client that sends
//! nothing (a server that speaks first; a consumer with no call yet) waits as the listener says:
//! `listener_filters_timeout`, and with `continue_on_listener_filters_timeout` it then goes on unmarked.
//! Istio's default is not to time out, which suits Dubbo: a consumer may connect long before it calls.
//!
//! Connections to addresses of the option `except` are not looked at and not waited for.
#![allow(unsafe_code)]

use std::ptr;

use dubbo_codec::Sniff;

use crate::abi::{Buffer, CONTINUE, EnvoyPtr, Header, ModulePtr, STOP_ITERATION};
use crate::envoy::{Level, Listener, bytes_of, log};
use crate::except::Except;
use crate::guard::{guard, provoke};
use crate::module::refuse;

const NAME: &[u8] = b"dubbo_sniff";
/// What Dubbo frames begin with is two bytes long.
const MAGIC_LEN: usize = 2;

/// Whether the connection speaks Dubbo; `None` if that takes another byte.
fn speaks_dubbo(first: &[u8]) -> Option<bool> {
    match first {
        [] => None,
        // What could also become HTTP or TLS is not waited for: it is not Dubbo.
        [0xda] => None,
        first => Some(Sniff::of(first) == Sniff::Dubbo),
    }
}

fn sniff(filter: EnvoyPtr) -> u32 {
    // SAFETY: Envoy's filter is alive during its hook.
    let Some(filter) = (unsafe { Listener::new(filter) }) else {
        return CONTINUE;
    };
    let dubbo = filter.lend(|first| {
        provoke(first);
        speaks_dubbo(first)
    });
    match dubbo {
        None => STOP_ITERATION,
        Some(false) => CONTINUE,
        Some(true) => {
            filter.set_application_protocol("h2c");
            CONTINUE
        }
    }
}

/// Whether the connection goes to where it is left alone. An address that cannot be told is not one.
fn is_left_alone(filter: EnvoyPtr, except: &Except) -> bool {
    // SAFETY: Envoy's filter is alive during its hook.
    let filter = unsafe { Listener::new(filter) };
    filter.is_some_and(|filter| filter.lend_local_address(|address| except.has(address)))
}

/// Refuses every name but ours, and options that are not understood.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_listener_filter_config_new(
    _config: EnvoyPtr,
    name: Buffer,
    options: Buffer,
) -> ModulePtr {
    let body = || {
        // SAFETY: Envoy's arguments are valid during the hook.
        let name = unsafe { bytes_of(name) };
        if name == NAME {
            // SAFETY: as above.
            return match Except::parse(unsafe { bytes_of(options) }) {
                Ok(except) => Box::into_raw(Box::new(except)).cast_const().cast(),
                Err(error) => refuse(&error.to_string()),
            };
        }
        log(Level::Error, || {
            let name = String::from_utf8_lossy(name);
            format!("dubbo: no listener filter \"{name}\"; there is \"dubbo_sniff\"")
        });
        ptr::null()
    };
    guard(body, ptr::null, ptr::null())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_listener_filter_config_destroy(config: ModulePtr) {
    // SAFETY: it was made by `config_new`, and Envoy destroys it once, after all its filters.
    let body = || drop(unsafe { Box::from_raw(config.cast_mut().cast::<Except>()) });
    guard(body, || (), ());
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_listener_filter_new(
    config: ModulePtr,
    _filter: EnvoyPtr,
) -> ModulePtr {
    // Nothing is kept of a connection: what it needs to know is the configuration, which outlives it.
    config
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_listener_filter_destroy(_filter: ModulePtr) {}

/// Nothing is known yet but the address: wait for the client to speak, or leave it alone.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_listener_filter_on_accept(
    filter: EnvoyPtr,
    ours: ModulePtr,
) -> u32 {
    // SAFETY: it is what `config_new` made, and alive as long as its filters.
    let except = unsafe { ours.cast::<Except>().as_ref() };
    let body = || match except.is_some_and(|except| is_left_alone(filter, except)) {
        true => CONTINUE,
        false => STOP_ITERATION,
    };
    guard(body, || CONTINUE, CONTINUE)
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_listener_filter_on_data(
    filter: EnvoyPtr,
    _ours: ModulePtr,
    _length: usize,
) -> u32 {
    // After a panic the connection goes on as if it were not Dubbo.
    guard(|| sniff(filter), || CONTINUE, CONTINUE)
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_listener_filter_get_max_read_bytes(
    _filter: EnvoyPtr,
    _ours: ModulePtr,
) -> usize {
    MAGIC_LEN
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_listener_filter_on_close(
    _filter: EnvoyPtr,
    _ours: ModulePtr,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_listener_filter_scheduled(
    _filter: EnvoyPtr,
    _ours: ModulePtr,
    _event: u64,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_listener_filter_config_scheduled(
    _config: ModulePtr,
    _event: u64,
) {
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_listener_filter_http_callout_done(
    _filter: EnvoyPtr,
    _ours: ModulePtr,
    _callout: u64,
    _result: u32,
    _headers: *const Header,
    _headers_len: usize,
    _body: *const Buffer,
    _body_len: usize,
) {
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_says_that_it_is_not_dubbo_and_two_that_it_is() {
        for (first, expected) in [
            (b"" as &[u8], None),
            (b"\xda", None),
            (b"\xda\xbb", Some(true)),
            (b"\xda\xba", Some(false)),
            (b"P", Some(false)),
            (b"PR", Some(false)),
            (b"\x16", Some(false)),
            (b"\0", Some(false)),
        ] {
            assert_eq!(speaks_dubbo(first), expected, "{first:x?}");
        }
    }
}
