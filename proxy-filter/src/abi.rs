//! Envoy's interface for dynamic modules, as far as it is used here: types, numbers, callbacks.
//!
//! Source: Envoy's `abi.h`; what stands here was checked against the binaries of 1.39.3 and 1.40.0
//! (their exported symbols and the types of the hooks they look up). The callbacks are looked up by
//! name when the module is loaded and not by the linker: so one file loads in every Envoy that has
//! the required ones, and the tests of this crate link without Envoy.
//!
//! The only file beside `envoy.rs` and the shells with unsafe code. All pointers are Envoy's and are
//! valid during a hook; handles until the hook that ends their object.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};
use std::sync::OnceLock;

/// An object of Envoy's: a filter, a configuration, a socket, a scheduler.
pub(crate) type EnvoyPtr = *mut c_void;
/// An object of ours that Envoy keeps.
pub(crate) type ModulePtr = *const c_void;

/// Bytes that belong to whoever passes them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    pub(crate) ptr: *const u8,
    pub(crate) len: usize,
}

/// A header; key and value belong to whoever passes them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) key: Buffer,
    pub(crate) value: Buffer,
}

/// What a read or write of a transport socket did.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct IoResult {
    /// 0 keeps the connection open, 1 closes it.
    pub(crate) action: u32,
    pub(crate) bytes: u64,
    pub(crate) end_of_stream: bool,
}

/// `on_network_filter_data_status`, `on_listener_filter_status`, those of HTTP filters.
pub(crate) const CONTINUE: u32 = 0;
pub(crate) const STOP_ITERATION: u32 = 1;
/// `on_http_filter_request_headers_status`: nothing of the request goes on, and what exceeds the
/// connection's buffer is left unread.
pub(crate) const STOP_ALL_AND_WATERMARK: u32 = 4;
/// `http_header_type`.
pub(crate) const REQUEST_HEADER: u32 = 0;
pub(crate) const REQUEST_TRAILER: u32 = 1;
/// `metadata_source`.
pub(crate) const METADATA_OF_ROUTE: u32 = 1;
/// `network_connection_event`.
pub(crate) const EVENT_REMOTE_CLOSE: u32 = 0;
pub(crate) const EVENT_LOCAL_CLOSE: u32 = 1;
pub(crate) const EVENT_CONNECTED: u32 = 2;
/// `network_connection_close_type`.
pub(crate) const CLOSE_FLUSH_WRITE: u32 = 0;
pub(crate) const CLOSE_NO_FLUSH: u32 = 1;
/// `transport_socket_io_status`.
pub(crate) const IO_SUCCESS: u32 = 0;
pub(crate) const IO_AGAIN: u32 = 1;
/// `log_level`.
pub(crate) const LOG_INFO: u32 = 2;
pub(crate) const LOG_ERROR: u32 = 4;

/// The version that Envoy 1.40 and later expect of a module, and the one of 1.38 and 1.39. Each loads
/// a module with the other's, and warns.
pub(crate) const VERSION_SINCE_1_40: &CStr = c"v0.2.0";
pub(crate) const VERSION_BEFORE: &CStr = c"v0.1.0";

unsafe extern "C" {
    /// POSIX. A null handle is glibc's and musl's `RTLD_DEFAULT`: the program and all it has loaded.
    fn dlsym(handle: *mut c_void, symbol: *const c_char) -> *mut c_void;
}

/// A table of functions of Envoy's, found by their names.
macro_rules! callbacks {
    ($($field:ident($($argument:ty),*) $(-> $result:ty)? = $name:literal;)*) => {
        /// The callbacks; see `abi.h` for what each does.
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Callbacks {
            $(pub(crate) $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Callbacks {
            /// Finds all of them, or names the first that Envoy does not have.
            fn find() -> Result<Self, &'static CStr> {
                Ok(Self {
                    $($field: {
                        const NAME: &CStr = match CStr::from_bytes_with_nul(
                            concat!("envoy_dynamic_module_callback_", $name, "\0").as_bytes()
                        ) {
                            Ok(name) => name,
                            Err(_) => panic!("a name with a null in it"),
                        };
                        let found = find(NAME).ok_or(NAME)?;
                        // SAFETY: Envoy exports the function of this name with this type.
                        unsafe {
                            std::mem::transmute::<
                                *mut c_void,
                                unsafe extern "C" fn($($argument),*) $(-> $result)?,
                            >(found)
                        }
                    },)*
                })
            }
        }
    };
}

callbacks! {
    log(u32, Buffer) = "log";
    log_enabled(u32) -> bool = "log_enabled";

    network_get_read_buffer_chunks_size(EnvoyPtr) -> usize = "network_filter_get_read_buffer_chunks_size";
    network_get_read_buffer_chunks(EnvoyPtr, *mut Buffer) -> bool = "network_filter_get_read_buffer_chunks";
    network_get_write_buffer_chunks_size(EnvoyPtr) -> usize = "network_filter_get_write_buffer_chunks_size";
    network_get_write_buffer_chunks(EnvoyPtr, *mut Buffer) -> bool = "network_filter_get_write_buffer_chunks";
    network_drain_read_buffer(EnvoyPtr, usize) -> bool = "network_filter_drain_read_buffer";
    network_drain_write_buffer(EnvoyPtr, usize) -> bool = "network_filter_drain_write_buffer";
    network_append_read_buffer(EnvoyPtr, Buffer) -> bool = "network_filter_append_read_buffer";
    network_append_write_buffer(EnvoyPtr, Buffer) -> bool = "network_filter_append_write_buffer";
    network_inject_read_data(EnvoyPtr, Buffer, bool) = "network_filter_inject_read_data";
    network_inject_write_data(EnvoyPtr, Buffer, bool) = "network_filter_inject_write_data";
    network_close(EnvoyPtr, u32) = "network_filter_close";
    network_get_connection_id(EnvoyPtr) -> u64 = "network_filter_get_connection_id";
    network_read_disable(EnvoyPtr, bool) -> u32 = "network_filter_read_disable";
    network_scheduler_new(EnvoyPtr) -> EnvoyPtr = "network_filter_scheduler_new";
    network_scheduler_commit(EnvoyPtr, u64) = "network_filter_scheduler_commit";
    network_scheduler_delete(EnvoyPtr) = "network_filter_scheduler_delete";
    network_set_dynamic_metadata_string(EnvoyPtr, Buffer, Buffer, Buffer) = "network_set_dynamic_metadata_string";
    network_config_define_counter(EnvoyPtr, Buffer, *mut usize) -> u32 = "network_filter_config_define_counter";
    network_config_define_gauge(EnvoyPtr, Buffer, *mut usize) -> u32 = "network_filter_config_define_gauge";
    network_config_define_histogram(EnvoyPtr, Buffer, *mut usize) -> u32 = "network_filter_config_define_histogram";
    network_increment_counter(EnvoyPtr, usize, u64) -> u32 = "network_filter_increment_counter";
    network_increment_gauge(EnvoyPtr, usize, u64) -> u32 = "network_filter_increment_gauge";
    network_decrement_gauge(EnvoyPtr, usize, u64) -> u32 = "network_filter_decrement_gauge";
    network_record_histogram_value(EnvoyPtr, usize, u64) -> u32 = "network_filter_record_histogram_value";

    listener_get_buffer_chunk(EnvoyPtr, *mut Buffer) -> bool = "listener_filter_get_buffer_chunk";
    listener_get_local_address(EnvoyPtr, *mut Buffer, *mut u32) -> bool = "listener_filter_get_local_address";
    listener_set_requested_application_protocols(EnvoyPtr, *const Buffer, usize)
        = "listener_filter_set_requested_application_protocols";

    http_get_cluster_host_count(EnvoyPtr, u32, *mut usize, *mut usize, *mut usize) -> bool
        = "http_get_cluster_host_count";
    http_get_metadata_bool(EnvoyPtr, u32, Buffer, Buffer, *mut bool) -> bool = "http_get_metadata_bool";
    http_get_header(EnvoyPtr, u32, Buffer, *mut Buffer, usize, *mut usize) -> bool = "http_get_header";
    http_get_headers_size(EnvoyPtr, u32) -> usize = "http_get_headers_size";
    http_set_header(EnvoyPtr, u32, Buffer, Buffer) -> bool = "http_set_header";
    http_clear_route_cache(EnvoyPtr) = "http_clear_route_cache";
    http_continue_decoding(EnvoyPtr) = "http_filter_continue_decoding";
    http_recreate_stream(EnvoyPtr, *mut Header, usize) -> bool = "http_filter_recreate_stream";
    http_scheduler_new(EnvoyPtr) -> EnvoyPtr = "http_filter_scheduler_new";
    http_scheduler_commit(EnvoyPtr, u64) = "http_filter_scheduler_commit";
    http_scheduler_delete(EnvoyPtr) = "http_filter_scheduler_delete";

    socket_io_read(EnvoyPtr, *mut u8, usize, *mut usize) -> u32 = "transport_socket_io_read";
    socket_io_write(EnvoyPtr, *const u8, usize, *mut usize) -> u32 = "transport_socket_io_write";
    socket_io_shutdown_write(EnvoyPtr) = "transport_socket_io_shutdown_write";
    socket_read_buffer_add(EnvoyPtr, *const u8, usize) = "transport_socket_read_buffer_add";
    socket_write_buffer_drain(EnvoyPtr, usize) = "transport_socket_write_buffer_drain";
    socket_write_buffer_get_slices(EnvoyPtr, *mut Buffer, *mut usize) = "transport_socket_write_buffer_get_slices";
    socket_raise_event(EnvoyPtr, u32) = "transport_socket_raise_event";
    socket_set_is_readable(EnvoyPtr) = "transport_socket_set_is_readable";

    bridge_get_request_headers_size(EnvoyPtr) -> usize = "upstream_http_tcp_bridge_get_request_headers_size";
    bridge_get_request_headers(EnvoyPtr, *mut Header) -> bool = "upstream_http_tcp_bridge_get_request_headers";
    bridge_get_request_buffer_chunks_size(EnvoyPtr) -> usize
        = "upstream_http_tcp_bridge_get_request_buffer_chunks_size";
    bridge_get_request_buffer(EnvoyPtr, *mut Buffer, *mut usize) = "upstream_http_tcp_bridge_get_request_buffer";
    bridge_get_response_buffer_chunks_size(EnvoyPtr) -> usize
        = "upstream_http_tcp_bridge_get_response_buffer_chunks_size";
    bridge_get_response_buffer(EnvoyPtr, *mut Buffer, *mut usize) = "upstream_http_tcp_bridge_get_response_buffer";
    bridge_send_upstream_data(EnvoyPtr, Buffer, bool) = "upstream_http_tcp_bridge_send_upstream_data";
    bridge_send_response(EnvoyPtr, u32, *const Header, usize, Buffer) = "upstream_http_tcp_bridge_send_response";
    bridge_send_response_headers(EnvoyPtr, u32, *const Header, usize, bool)
        = "upstream_http_tcp_bridge_send_response_headers";
    bridge_send_response_data(EnvoyPtr, Buffer, bool) = "upstream_http_tcp_bridge_send_response_data";
}

static CALLBACKS: OnceLock<Callbacks> = OnceLock::new();

/// Looks the callbacks up, once; see [`callbacks`]. Names the first that is missing.
pub(crate) fn load() -> Result<(), &'static CStr> {
    if CALLBACKS.get().is_none() {
        let found = Callbacks::find()?;
        CALLBACKS.get_or_init(|| found);
    }
    Ok(())
}

/// The callbacks, once [`load`] has found them. Before that Envoy calls no hook.
pub(crate) fn callbacks() -> Option<&'static Callbacks> {
    CALLBACKS.get()
}

/// The version of the interface that the Envoy around us expects: told by a callback that is new in
/// 1.40.
pub(crate) fn version() -> &'static CStr {
    match find(c"envoy_dynamic_module_callback_log_v2") {
        Some(_) => VERSION_SINCE_1_40,
        None => VERSION_BEFORE,
    }
}

fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: a null handle is allowed, and `name` ends with a null.
    let found = unsafe { dlsym(std::ptr::null_mut(), name.as_ptr()) };
    (!found.is_null()).then_some(found)
}
