//! Waiting for something to become true, with what was seen last in the error.

use std::time::{Duration, Instant};

/// How often a probe is made.
const PAUSE: Duration = Duration::from_millis(50);

/// Probes until `probe` returns `Ok`, and returns that value.
///
/// # Panics
/// After `limit`, with `what` and the last error: let the probe put what it saw
/// into it.
pub async fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let began = Instant::now();
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(seen) if began.elapsed() >= limit => {
                panic!("waited {limit:?} for: {what}\nlast seen: {seen}")
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
