//! The hooks that Envoy calls, by their names.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::Arc;

use super::{Config, Filter, configure};
use crate::abi::{Buffer, CONTINUE, EnvoyPtr, Header, ModulePtr};
use crate::envoy::{Network, bytes_of};
use crate::guard::guard;
use crate::metrics;
use crate::module::refuse;

/// # Safety
/// `ours` must be what `on_network_filter_new` has returned, and not yet destroyed.
unsafe fn filter<'a>(ours: ModulePtr) -> &'a Filter {
    // SAFETY: what the caller promises; hooks of one connection run on one thread.
    unsafe { &*ours.cast::<Filter>() }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_network_filter_config_new(
    config: EnvoyPtr,
    name: Buffer,
    options: Buffer,
) -> ModulePtr {
    let body = || {
        // SAFETY: Envoy's arguments are valid during the hook.
        let (name, options) = unsafe { (bytes_of(name), bytes_of(options)) };
        match configure(config, name, options) {
            Ok(config) => Arc::into_raw(config).cast(),
            Err(reason) => refuse(&reason),
        }
    };
    guard(body, ptr::null, ptr::null())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_network_filter_config_destroy(config: ModulePtr) {
    // SAFETY: it is what `config_new` has returned, and Envoy has no more use for it.
    let body = || drop(unsafe { Arc::from_raw(config.cast::<Config>()) });
    guard(body, || (), ());
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_network_filter_new(
    config: ModulePtr,
    envoy: EnvoyPtr,
) -> ModulePtr {
    let body = || {
        let config = config.cast::<Config>();
        // SAFETY: `config` is one of ours that Envoy still holds; the filter is being made.
        let (config, envoy) = unsafe {
            Arc::increment_strong_count(config);
            (Arc::from_raw(config), Network::new(envoy))
        };
        match envoy {
            Some(envoy) => Box::into_raw(Box::new(Filter::new(config, envoy)))
                .cast_const()
                .cast(),
            None => ptr::null(),
        }
    };
    // Null closes the connection.
    guard(body, ptr::null, ptr::null())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_network_filter_destroy(ours: ModulePtr) {
    let body = || {
        // SAFETY: it is what `new` has returned, and this is the last hook that gets it.
        let filter = unsafe { Box::from_raw(ours.cast_mut().cast::<Filter>()) };
        if let Some(scheduler) = &filter.scheduler {
            scheduler.end();
        }
        // Nothing, if the connection was seen to close.
        filter.share.back().for_each(metrics::add_aside);
    };
    guard(body, || (), ());
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_network_filter_new_connection(
    _envoy: EnvoyPtr,
    _ours: ModulePtr,
) -> u32 {
    CONTINUE
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_network_filter_read(
    envoy: EnvoyPtr,
    ours: ModulePtr,
    _length: usize,
    end: bool,
) -> u32 {
    // SAFETY: Envoy passes what `new` has returned.
    unsafe { filter(ours) }.ask(envoy, |part, envoy| part.read(envoy, end))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_network_filter_write(
    envoy: EnvoyPtr,
    ours: ModulePtr,
    _length: usize,
    end: bool,
) -> u32 {
    // SAFETY: as above.
    unsafe { filter(ours) }.ask(envoy, |part, envoy| part.write(envoy, end))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_network_filter_event(
    envoy: EnvoyPtr,
    ours: ModulePtr,
    event: u32,
) {
    // SAFETY: as above.
    unsafe { filter(ours) }.event(envoy, event);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_network_filter_above_write_buffer_high_watermark(
    envoy: EnvoyPtr,
    ours: ModulePtr,
) {
    // SAFETY: as above.
    unsafe { filter(ours) }.unread(envoy, true);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_network_filter_below_write_buffer_low_watermark(
    envoy: EnvoyPtr,
    ours: ModulePtr,
) {
    // SAFETY: as above.
    unsafe { filter(ours) }.unread(envoy, false);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_network_filter_scheduled(
    envoy: EnvoyPtr,
    ours: ModulePtr,
    event: u64,
) {
    // SAFETY: as above.
    unsafe { filter(ours) }.scheduled(envoy, event);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_network_filter_http_callout_done(
    _envoy: EnvoyPtr,
    _ours: ModulePtr,
    _callout: u64,
    _result: u32,
    _headers: *const Header,
    _headers_len: usize,
    _body: *const Buffer,
    _body_len: usize,
) {
}
