//! The module as a whole: what Envoy asks of it when it loads it.
#![allow(unsafe_code)]

use std::ffi::c_char;
use std::ptr;

use crate::abi::{self, ModulePtr};
use crate::envoy::{Level, log};
use crate::guard::{guard, log_panics};

/// Returns the version of the interface; null refuses to be loaded.
#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    let body = || {
        if abi::load().is_err() {
            // There may be no log to say which callback is missing: Envoy says that it got null.
            return ptr::null();
        }
        log_panics();
        let version = abi::version();
        log(Level::Info, || {
            let ours = env!("CARGO_PKG_VERSION");
            format!(
                "dubbo: module {ours} loaded, interface {}",
                version.to_string_lossy()
            )
        });
        version.as_ptr()
    };
    guard(body, ptr::null, ptr::null())
}

/// What a hook answers to a configuration that is not used: Envoy keeps the one it has, and the log
/// says why.
pub(crate) fn refuse(reason: &str) -> ModulePtr {
    log(Level::Error, || {
        format!("dubbo: configuration refused: {reason}")
    });
    ptr::null()
}
