//! JSONB: what is written here, fastjson2 reads as it read the original.

use dubbo_codec::{Limits, jsonb};

use super::java::Oracle;
use super::recorded::recorded;

#[test]
fn values_written_here_are_read_there() {
    let mut oracle = Oracle::start("JsonbOracle", "dubbo-3.2.16");
    let mut asked = 0;
    for r in recorded().into_iter().filter(|r| r.bytes[2] & 0x1f == 23) {
        let mut body = &r.bytes[16..];
        for meaning in r.meaning.split(" ; ") {
            let (len, rest) = body.split_first_chunk::<4>().expect("a length");
            let (value, rest) = rest.split_at(u32::from_be_bytes(*len) as usize);
            body = rest;
            let value = jsonb::decode(value, &Limits::default()).expect("a value");
            // That library's dump cannot read every decimal: see the fixtures.
            if meaning != "~" {
                let ours = jsonb::encode(&value);
                assert_eq!(
                    oracle.ask('D', &ours).as_deref(),
                    Ok(meaning),
                    "{} {}",
                    r.file,
                    r.case
                );
                asked += 1;
            }
        }
    }
    assert!(asked > 600, "{asked}");
}
